#include "executor/kernels/predict.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "executor/kernels/forest_kernel.h"
#include "executor/kernels/similarity.h"

namespace kiln::executor {
namespace {

constexpr size_t kBlockRows = 256;

struct Kernels {
  void (*sum_trees)(const Forest& forest, size_t width, MatrixView rows, std::span<float> sums);
  void (*similarities)(Metric metric, std::span<const float> query, MatrixView rows,
                       std::span<float> scores);
};

void PredictForest(const Kernels& kernels, const Forest& forest, size_t width, MatrixView rows,
                   std::span<float> out) {
  std::fill(out.begin(), out.end(), 0.0f);
  kernels.sum_trees(forest, width, rows, out);
  const auto trees = static_cast<float>(forest.roots.size());
  for (float& value : out) value /= trees;
}

void Softmax(std::span<float> logits) {
  const float greatest = *std::max_element(logits.begin(), logits.end());
  float sum = 0;
  for (float& value : logits) sum += value = std::exp(value - greatest);
  for (float& value : logits) value /= sum;
}

void PredictAffine(const Kernels& kernels, const Affine& affine, MatrixView rows,
                   std::span<float> out) {
  const size_t width = affine.bias.size();
  const MatrixView weights = {affine.weights.data(), width, rows.columns};
  float products[kBlockRows];
  for (size_t first = 0; first < rows.rows; first += kBlockRows) {
    const MatrixView block = rows.Rows(first, std::min(kBlockRows, rows.rows - first));
    for (size_t k = 0; k < width; ++k) {
      kernels.similarities(Metric::kDot, weights.Row(k), block, {products, block.rows});
      for (size_t i = 0; i < block.rows; ++i) {
        out[(first + i) * width + k] = products[i] + affine.bias[k];
      }
    }
  }
}

void PredictWith(const Kernels& kernels, const Model& model, MatrixView rows,
                 std::span<float> out) {
  KILN_CHECK(rows.columns == model.features.size());
  KILN_CHECK(out.size() == rows.rows * model.Width());
  if (const auto* forest = std::get_if<Forest>(&model.body)) {
    PredictForest(kernels, *forest, model.Width(), rows, out);
    return;
  }
  PredictAffine(kernels, std::get<Affine>(model.body), rows, out);
  if (!model.Classifies()) return;
  for (size_t i = 0; i < rows.rows; ++i) Softmax(out.subspan(i * model.Width(), model.Width()));
}

}  // namespace

void Predict(const Model& model, MatrixView rows, std::span<float> out) {
  PredictWith({SumTrees, Similarities}, model, rows, out);
}

std::vector<float> Predict(const Model& model, MatrixView rows) {
  std::vector<float> out(rows.rows * model.Width());
  Predict(model, rows, out);
  return out;
}

void PredictScalar(const Model& model, MatrixView rows, std::span<float> out) {
  PredictWith({SumTreesScalar, SimilaritiesScalar}, model, rows, out);
}

std::vector<uint32_t> BestClasses(std::span<const float> probabilities, size_t width) {
  std::vector<uint32_t> best(probabilities.size() / width);
  for (size_t i = 0; i < best.size(); ++i) {
    const auto row = probabilities.subspan(i * width, width);
    best[i] = static_cast<uint32_t>(std::max_element(row.begin(), row.end()) - row.begin());
  }
  return best;
}

Status CheckColumns(const Model& model, const std::vector<std::string>& columns) {
  if (columns.size() != model.features.size()) {
    return Fail(ErrorCode::kInvalidArgument, "the rows have {} columns, the model expects {}",
                columns.size(), model.features.size());
  }
  for (size_t i = 0; i < columns.size(); ++i) {
    if (columns[i] == model.features[i]) continue;
    return Fail(ErrorCode::kInvalidArgument, "column {} of the rows is {}, the model expects {}",
                i + 1, columns[i], model.features[i]);
  }
  return {};
}

}  // namespace kiln::executor
