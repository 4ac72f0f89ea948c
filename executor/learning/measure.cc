#include <algorithm>
#include <cmath>

#include "executor/kernels/predict.h"
#include "executor/learning/train.h"

namespace kiln::executor {
namespace {

using Measures = std::map<std::string, double>;

constexpr size_t kBlockRows = 4096;

// Calls visit(row, prediction) for each row.
template <class Visit>
void ForEachPrediction(const Model& model, const Table& table, std::span<const size_t> rows,
                       Visit visit) {
  const size_t columns = table.columns.size();
  for (size_t first = 0; first < rows.size(); first += kBlockRows) {
    const std::span block = rows.subspan(first, std::min(kBlockRows, rows.size() - first));
    std::vector<float> x;
    for (const size_t row : block) {
      const float* values = table.values.data() + row * columns;
      x.insert(x.end(), values, values + columns);
    }
    const std::vector<float> out = Predict(model, {x.data(), block.size(), columns});
    for (size_t i = 0; i < block.size(); ++i) {
      visit(block[i], std::span(out).subspan(i * model.Width(), model.Width()));
    }
  }
}

Measures MeasureClasses(const Model& model, const Table& table, std::span<const size_t> rows) {
  double right = 0;
  double loss = 0;
  ForEachPrediction(model, table, rows, [&](size_t row, std::span<const float> probabilities) {
    const auto known = std::find(model.classes.begin(), model.classes.end(), table.labels[row]);
    const auto label = static_cast<size_t>(known - model.classes.begin());
    const double probability = label < probabilities.size() ? probabilities[label] : 0;
    right += BestClasses(probabilities, probabilities.size())[0] == label;
    loss -= std::log(std::max(probability, 1e-15));
  });
  const auto count = static_cast<double>(rows.size());
  return {{"accuracy", right / count}, {"log_loss", loss / count}};
}

Measures MeasureNumbers(const Model& model, const Table& table, std::span<const size_t> rows) {
  double mean = 0;
  for (const size_t row : rows) mean += table.numbers[row];
  mean /= static_cast<double>(rows.size());
  double errors = 0;
  double spread = 0;
  ForEachPrediction(model, table, rows, [&](size_t row, std::span<const float> value) {
    const double number = table.numbers[row];
    errors += (number - value[0]) * (number - value[0]);
    spread += (number - mean) * (number - mean);
  });
  Measures measures = {{"rmse", std::sqrt(errors / static_cast<double>(rows.size()))}};
  // Of numbers that are all alike nothing is there to be explained.
  if (spread > 0) measures["r2"] = 1 - errors / spread;
  return measures;
}

}  // namespace

Result<Measures> Measure(const Model& model, const Table& table, std::span<const size_t> rows) {
  KILN_TRY_OK(CheckColumns(model, table.columns));
  if (rows.empty()) return Measures{};
  if ((model.Classifies() ? table.labels.size() : table.numbers.size()) != table.Rows()) {
    return Fail(ErrorCode::kInvalidArgument, "the table has no target column, expected {}",
                model.target);
  }
  return model.Classifies() ? MeasureClasses(model, table, rows)
                            : MeasureNumbers(model, table, rows);
}

}  // namespace kiln::executor
