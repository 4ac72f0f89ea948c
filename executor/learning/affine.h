// Models that are a weighted sum of the features: linear and softmax regression.
#pragma once

#include <cstdint>
#include <span>

#include "executor/kernels/matrix.h"
#include "executor/kernels/model.h"
#include "executor/learning/progress.h"

namespace kiln::executor {

// Least squares with l2 times the squared weights added; the bias is not penalised. By Cholesky
// decomposition of the normal equations, so columns that depend on each other share their weight.
// At most kLinearColumnsMax columns. The same to the bit on every machine.
Result<Affine> FitLinear(MatrixView x, std::span<const double> numbers, double l2);

constexpr size_t kLinearColumnsMax = 8192;

struct SoftmaxOptions {
  uint64_t seed = 0;
  double learning_rate = 0.1;  // at the start; it falls to zero with the epochs
  int epochs = 50;             // how often all rows are seen
  double l2 = 0;               // times half the squared weights, of standardised features
};

// Cross entropy by stochastic gradient descent with momentum, in batches of 32 rows, on features of
// mean 0 and deviation 1. classes[i] < class_count. The same seed gives the same model.
Result<Affine> FitSoftmax(MatrixView x, std::span<const uint32_t> classes, size_t class_count,
                          const SoftmaxOptions& options, const Progress& progress);

}  // namespace kiln::executor
