#include <algorithm>
#include <cmath>
#include <numeric>

#include "executor/learning/affine.h"

namespace kiln::executor {
namespace {

// Rows added to the products at once: four pay for one pass over the triangle.
constexpr size_t kRowsAtOnce = 4;

struct NormalEquations {
  std::vector<double> means;  // of the columns
  double number_mean = 0;
  std::vector<double> products;  // columns x columns, the lower triangle: X'X of centred X
  std::vector<double> right;     // X'y
};

// Adds four centred rows, one behind the other, and what is to be explained of each.
void AddRows(const double* rows, const double* wanted, NormalEquations& sums) {
  const size_t n = sums.means.size();
  const double* r0 = rows;
  const double* r1 = rows + n;
  const double* r2 = rows + 2 * n;
  const double* r3 = rows + 3 * n;
  for (size_t i = 0; i < n; ++i) {
    double* products = sums.products.data() + i * n;
    const double a = r0[i], b = r1[i], c = r2[i], d = r3[i];
    for (size_t j = 0; j <= i; ++j) {
      products[j] += (a * r0[j] + b * r1[j]) + (c * r2[j] + d * r3[j]);
    }
    sums.right[i] += (a * wanted[0] + b * wanted[1]) + (c * wanted[2] + d * wanted[3]);
  }
}

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

  for (size_t first = 0; first < x.rows; first += kRowsAtOnce) {
    // Rows that are missing at the end are zero and add nothing.
    std::vector<double> block(kRowsAtOnce * n);
    double wanted[kRowsAtOnce] = {};
    for (size_t i = 0; i < std::min(kRowsAtOnce, x.rows - first); ++i) {
      const std::span<const float> row = x.Row(first + i);
      for (size_t j = 0; j < n; ++j) block[i * n + j] = row[j] - sums.means[j];
      wanted[i] = numbers[first + i] - sums.number_mean;
    }
    AddRows(block.data(), wanted, sums);
  }
  return sums;
}

// Solves A x = b in place by Cholesky decomposition, A = L L'; `a` holds the lower triangle.
// False when A is not positive definite.
bool SolveCholesky(std::vector<double>& a, std::vector<double>& b) {
  const size_t n = b.size();
  for (size_t i = 0; i < n; ++i) {
    double* row = a.data() + i * n;
    for (size_t j = 0; j <= i; ++j) {
      const double* other = a.data() + j * n;
      const double rest = row[j] - std::inner_product(row, row + j, other, 0.0);
      if (i == j && !(rest > 0)) return false;
      row[j] = i == j ? std::sqrt(rest) : rest / other[j];
    }
    b[i] = (b[i] - std::inner_product(row, row + i, b.data(), 0.0)) / row[i];
  }
  for (size_t i = n; i-- > 0;) {
    b[i] /= a[i * n + i];
    for (size_t j = 0; j < i; ++j) b[j] -= a[i * n + j] * b[i];
  }
  return true;
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
  if (!SolveCholesky(sums.products, sums.right)) {
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
