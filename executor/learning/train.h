// From a table to a model and its measures: the whole way of a training.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "executor/formats/table.h"
#include "executor/kernels/model.h"
#include "executor/learning/progress.h"

namespace kiln::executor {

enum class Algorithm {
  kRandomForestClassifier,
  kRandomForestRegressor,
  kLinearRegression,
  kSoftmaxRegression,
};

// As what the target column of an algorithm is to be read.
TargetKind TargetKindOf(Algorithm algorithm);

struct TrainOptions {
  Algorithm algorithm = Algorithm::kRandomForestClassifier;
  uint64_t seed = 0;
  int threads = 0;  // 0: one for each core

  // Forests. A member that grows a part of one grows trees [tree_begin, tree_end) of `trees`.
  int trees = 100;
  int tree_begin = 0;
  int tree_end = -1;  // -1: trees
  int depth_max = 0;  // 0: no limit
  int leaf_rows_min = 1;
  int features_per_split = 0;  // 0: the square root of all (classes), a third (numbers)

  double learning_rate = 0.1;  // softmax
  int epochs = 50;             // softmax
  double l2 = 0;               // linear and softmax
};

// Rows held out for the test, and the others; both ascending.
struct RowSplit {
  std::vector<size_t> train;
  std::vector<size_t> test;
};

// The same for the same seed on every machine. fraction: [0, 1) of the rows, rounded; at least one
// row is left to train on.
Result<RowSplit> SplitRows(size_t rows, double test_fraction, uint64_t seed);

// A model of these rows of the table. Its classes are those of the whole table, so that parts of a
// forest fit together and no test row is of an unknown class. Errors name the option that is wrong
// (field) or what is wrong with the table.
Result<Model> Train(const Table& table, const std::string& target, std::span<const size_t> rows,
                    const TrainOptions& options, const Progress& progress = {});

// One forest of the trees of all parts, in their order: the same as if it were grown at once.
Result<Model> Join(const std::vector<Model>& parts);

// "accuracy" and "log_loss" for classes, "rmse" and "r2" for numbers. Nothing for no rows.
Result<std::map<std::string, double>> Measure(const Model& model, const Table& table,
                                              std::span<const size_t> rows);

}  // namespace kiln::executor
