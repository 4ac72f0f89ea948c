#include <cblas.h>

#include <algorithm>
#include <cmath>

#include "executor/learning/affine.h"

// LAPACK: solves A x = b for a symmetric positive definite A, in place.
extern "C" void dposv_(const char* uplo, const int* n, const int* columns, double* a,
                       const int* lda, double* b, const int* ldb, int* info);

namespace kiln::executor {
namespace {

constexpr size_t kBlockRows = 1024;

struct NormalEquations {
  std::vector<double> means;  // of the columns
  double number_mean = 0;
  std::vector<double> products;  // columns x columns, the lower triangle: X'X of centred X
  std::vector<double> right;     // X'y
};

NormalEquations Accumulate(MatrixView x, std::span<const double> numbers) {
  const size_t n = x.columns;
  NormalEquations sums{std::vector<double>(n), 0, std::vector<double>(n * n),
                       std::vector<double>(n)};
  for (size_t row = 0; row < x.rows; ++row) {
    for (size_t j = 0; j < n; ++j) sums.means[j] += x.data[row * n + j];
    sums.number_mean += numbers[row];
  }
  const auto rows = static_cast<double>(x.rows);
  for (double& mean : sums.means) mean /= rows;
  sums.number_mean /= rows;

  const int columns = static_cast<int>(n);
  std::vector<double> block(std::min(kBlockRows, x.rows) * n);
  std::vector<double> wanted(std::min(kBlockRows, x.rows));
  for (size_t first = 0; first < x.rows; first += kBlockRows) {
    const size_t count = std::min(kBlockRows, x.rows - first);
    for (size_t i = 0; i < count; ++i) {
      for (size_t j = 0; j < n; ++j) {
        block[i * n + j] = x.data[(first + i) * n + j] - sums.means[j];
      }
      wanted[i] = numbers[first + i] - sums.number_mean;
    }
    const int k = static_cast<int>(count);
    cblas_dsyrk(CblasRowMajor, CblasLower, CblasTrans, columns, k, 1, block.data(), columns, 1,
                sums.products.data(), columns);
    cblas_dgemv(CblasRowMajor, CblasTrans, k, columns, 1, block.data(), columns, wanted.data(), 1,
                1, sums.right.data(), 1);
  }
  return sums;
}

// Scaled so that the diagonal is 1; a breath is added to it, so that columns that depend on each
// other can be solved for.
Result<std::vector<double>> Solve(NormalEquations& sums, double l2) {
  const size_t n = sums.means.size();
  std::vector<double> scale(n);
  for (size_t j = 0; j < n; ++j) {
    const double diagonal = sums.products[j * n + j] + l2;
    scale[j] = diagonal > 0 ? 1 / std::sqrt(diagonal) : 0;
  }
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j < i; ++j) sums.products[i * n + j] *= scale[i] * scale[j];
    sums.products[i * n + i] = 1 + 1e-10;
    sums.right[i] *= scale[i];
  }
  const int size = static_cast<int>(n);
  const int one = 1;
  int info = 0;
  // The lower triangle by rows is the upper triangle by columns.
  dposv_("U", &size, &one, sums.products.data(), &size, sums.right.data(), &size, &info);
  if (info != 0) {
    return Fail(ErrorCode::kInvalidArgument,
                "the columns depend on each other too much to be fitted, expected l2 above {}", l2);
  }
  for (size_t j = 0; j < n; ++j) sums.right[j] *= scale[j];
  return std::move(sums.right);
}

}  // namespace

Result<Affine> FitLinear(MatrixView x, std::span<const double> numbers, double l2) {
  if (x.columns > kLinearColumnsMax) {
    return Fail(ErrorCode::kInvalidArgument, "linear regression on {} columns, expected at most {}",
                x.columns, kLinearColumnsMax);
  }
  // More threads would sum in an order that changes with their number.
  openblas_set_num_threads(1);
  NormalEquations sums = Accumulate(x, numbers);
  const std::vector<double> means = sums.means;
  KILN_TRY(const std::vector<double> weights, Solve(sums, l2));
  Affine affine;
  double bias = sums.number_mean;
  for (size_t j = 0; j < weights.size(); ++j) {
    bias -= weights[j] * means[j];
    affine.weights.push_back(static_cast<float>(weights[j]));
  }
  affine.bias = {static_cast<float>(bias)};
  return affine;
}

}  // namespace kiln::executor
