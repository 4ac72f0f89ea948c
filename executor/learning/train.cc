#include "executor/learning/train.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>
#include <optional>
#include <unordered_map>

#include "base/random.h"
#include "executor/learning/affine.h"
#include "executor/learning/forest.h"

namespace kiln::executor {
namespace {

constexpr size_t kClassesMax = 1 << 16;

std::optional<double> NumberOf(const std::string& text) {
  double number = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (code != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// Distinct labels: by number if all are numbers, else as text.
std::vector<std::string> ClassesOf(const std::vector<std::string>& labels) {
  std::vector<std::string> classes = labels;
  std::sort(classes.begin(), classes.end());
  classes.erase(std::unique(classes.begin(), classes.end()), classes.end());
  if (std::all_of(classes.begin(), classes.end(), [](const auto& c) { return NumberOf(c); })) {
    std::stable_sort(classes.begin(), classes.end(),
                     [](const auto& a, const auto& b) { return *NumberOf(a) < *NumberOf(b); });
  }
  return classes;
}

std::vector<uint32_t> ClassNumbers(const std::vector<std::string>& classes,
                                   const std::vector<std::string>& labels,
                                   std::span<const size_t> rows) {
  std::unordered_map<std::string_view, uint32_t> places;
  for (const std::string& name : classes) {
    places.emplace(name, static_cast<uint32_t>(places.size()));
  }
  std::vector<uint32_t> numbers;
  numbers.reserve(rows.size());
  for (const size_t row : rows) numbers.push_back(places.at(labels[row]));
  return numbers;
}

std::vector<float> SelectRows(const Table& table, std::span<const size_t> rows) {
  const size_t width = table.columns.size();
  std::vector<float> selected;
  selected.reserve(rows.size() * width);
  for (const size_t row : rows) {
    const float* values = table.values.data() + row * width;
    selected.insert(selected.end(), values, values + width);
  }
  return selected;
}

template <class T>
std::vector<T> SelectTarget(const std::vector<T>& target, std::span<const size_t> rows) {
  std::vector<T> selected;
  selected.reserve(rows.size());
  for (const size_t row : rows) selected.push_back(target[row]);
  return selected;
}

bool IsForest(Algorithm algorithm) {
  return algorithm == Algorithm::kRandomForestClassifier ||
         algorithm == Algorithm::kRandomForestRegressor;
}

Status CheckForestOptions(const TrainOptions& options, size_t columns) {
  if (options.trees < 1 || options.trees > 1'000'000) {
    return FailField("trees", "trees is {}, expected 1 to 1000000", options.trees);
  }
  const int end = options.tree_end < 0 ? options.trees : options.tree_end;
  if (options.tree_begin < 0 || options.tree_begin >= end || end > options.trees) {
    return FailField("trees", "the part from tree {} to {} of {} has none, expected at least one",
                     options.tree_begin, end, options.trees);
  }
  if (options.depth_max < 0) {
    return FailField("depth_max", "depth_max is {}, expected 0 or more", options.depth_max);
  }
  if (options.leaf_rows_min < 1) {
    return FailField("leaf_rows_min", "leaf_rows_min is {}, expected 1 or more",
                     options.leaf_rows_min);
  }
  if (options.features_per_split < 0 || static_cast<size_t>(options.features_per_split) > columns) {
    return FailField("features_per_split", "features_per_split is {}, expected 0 to {}",
                     options.features_per_split, columns);
  }
  return {};
}

Status CheckOptions(const TrainOptions& options, size_t columns) {
  if (IsForest(options.algorithm)) return CheckForestOptions(options, columns);
  if (!(options.l2 >= 0) || !std::isfinite(options.l2)) {
    return FailField("l2", "l2 is {}, expected 0 or more", options.l2);
  }
  if (options.algorithm == Algorithm::kLinearRegression) return {};
  if (!(options.learning_rate > 0) || !std::isfinite(options.learning_rate)) {
    return FailField("learning_rate", "learning_rate is {}, expected more than 0",
                     options.learning_rate);
  }
  if (options.epochs < 1) {
    return FailField("epochs", "epochs is {}, expected 1 or more", options.epochs);
  }
  return {};
}

Status CheckTable(const Table& table, const std::string& target, size_t rows, Algorithm algorithm) {
  if (table.columns.empty()) {
    return Fail(ErrorCode::kInvalidArgument, "the table has no feature columns, expected some");
  }
  if (rows == 0) return Fail(ErrorCode::kInvalidArgument, "no rows to train on, expected some");
  const bool numbers = TargetKindOf(algorithm) == TargetKind::kNumbers;
  if ((numbers ? table.numbers.size() : table.labels.size()) != table.Rows()) {
    return Fail(ErrorCode::kInvalidArgument, "the table has no target column of {}, expected one",
                numbers ? "numbers" : "labels");
  }
  for (const std::string& column : table.columns) {
    if (column != target) continue;
    return Fail(ErrorCode::kInvalidArgument, "the target {} is a feature too, expected another",
                target);
  }
  return {};
}

ForestOptions ForestOptionsOf(const TrainOptions& options, size_t columns) {
  const bool classes = options.algorithm == Algorithm::kRandomForestClassifier;
  const auto all = static_cast<double>(columns);
  const size_t usual = std::max<size_t>(1, static_cast<size_t>(classes ? std::sqrt(all) : all / 3));
  return {.seed = options.seed,
          .tree_begin = static_cast<size_t>(options.tree_begin),
          .tree_end = static_cast<size_t>(options.tree_end < 0 ? options.trees : options.tree_end),
          .depth_max = static_cast<size_t>(options.depth_max),
          .leaf_rows_min = static_cast<uint64_t>(options.leaf_rows_min),
          .features_per_split = options.features_per_split > 0
                                    ? static_cast<size_t>(options.features_per_split)
                                    : usual,
          .threads = options.threads};
}

// A forest or an affine of the same algorithm, as the body of a model.
template <class T>
Result<std::variant<Forest, Affine>> AsBody(Result<T> fitted) {
  if (!fitted) return Failure(std::move(fitted).error());
  return std::variant<Forest, Affine>(*std::move(fitted));
}

Result<std::variant<Forest, Affine>> Fit(MatrixView x, const ForestTarget& target,
                                         const TrainOptions& options, const Progress& progress) {
  switch (options.algorithm) {
    case Algorithm::kRandomForestClassifier:
    case Algorithm::kRandomForestRegressor:
      return AsBody(GrowForest(x, target, ForestOptionsOf(options, x.columns), progress));
    case Algorithm::kLinearRegression:
      return AsBody(FitLinear(x, std::get<NumberTarget>(target).numbers, options.l2));
    case Algorithm::kSoftmaxRegression: {
      const auto& classes = std::get<ClassTarget>(target);
      return AsBody(FitSoftmax(x, classes.classes, classes.count,
                               {.seed = options.seed,
                                .learning_rate = options.learning_rate,
                                .epochs = options.epochs,
                                .l2 = options.l2},
                               progress));
    }
  }
  return Fail(ErrorCode::kInternal, "algorithm {}", static_cast<int>(options.algorithm));
}

}  // namespace

TargetKind TargetKindOf(Algorithm algorithm) {
  switch (algorithm) {
    case Algorithm::kRandomForestClassifier:
    case Algorithm::kSoftmaxRegression:
      return TargetKind::kLabels;
    case Algorithm::kRandomForestRegressor:
    case Algorithm::kLinearRegression:
      return TargetKind::kNumbers;
  }
  return TargetKind::kLabels;
}

Result<RowSplit> SplitRows(size_t rows, double test_fraction, uint64_t seed) {
  if (!(test_fraction >= 0 && test_fraction < 1)) {
    return FailField("test_fraction", "test_fraction is {}, expected at least 0 and less than 1",
                     test_fraction);
  }
  if (rows == 0) return Fail(ErrorCode::kInvalidArgument, "the table has no rows, expected some");
  std::vector<size_t> order(rows);
  std::iota(order.begin(), order.end(), size_t{0});
  Random random(seed);
  for (size_t i = rows; i > 1; --i) std::swap(order[i - 1], order[random.Below(i)]);
  const auto wanted = static_cast<size_t>(std::llround(static_cast<double>(rows) * test_fraction));
  const auto middle = order.begin() + static_cast<ptrdiff_t>(std::min(wanted, rows - 1));
  RowSplit split{{middle, order.end()}, {order.begin(), middle}};
  std::sort(split.train.begin(), split.train.end());
  std::sort(split.test.begin(), split.test.end());
  return split;
}

Result<Model> Train(const Table& table, const std::string& target, std::span<const size_t> rows,
                    const TrainOptions& options, const Progress& progress) {
  KILN_TRY_OK(CheckTable(table, target, rows.size(), options.algorithm));
  KILN_TRY_OK(CheckOptions(options, table.columns.size()));
  Model model;
  model.features = table.columns;
  model.target = target;
  std::vector<uint32_t> class_numbers;
  std::vector<double> numbers;
  ForestTarget wanted;
  if (TargetKindOf(options.algorithm) == TargetKind::kLabels) {
    model.classes = ClassesOf(table.labels);
    if (model.classes.size() < 2 || model.classes.size() > kClassesMax) {
      return Fail(ErrorCode::kInvalidArgument, "the target {} has {} classes, expected 2 to {}",
                  target, model.classes.size(), kClassesMax);
    }
    class_numbers = ClassNumbers(model.classes, table.labels, rows);
    wanted = ClassTarget{class_numbers, model.classes.size()};
  } else {
    numbers = SelectTarget(table.numbers, rows);
    wanted = NumberTarget{numbers};
  }
  const std::vector<float> x = SelectRows(table, rows);
  KILN_TRY(model.body,
           Fit({x.data(), rows.size(), table.columns.size()}, wanted, options, progress));
  KILN_TRY_OK(CheckModel(model));
  return model;
}

Result<Model> Join(const std::vector<Model>& parts) {
  if (parts.empty()) return Fail(ErrorCode::kInvalidArgument, "no parts to join, expected some");
  Model whole = parts.front();
  whole.body = Forest{};
  for (size_t i = 0; i < parts.size(); ++i) {
    const auto* forest = std::get_if<Forest>(&parts[i].body);
    if (forest == nullptr) {
      return Fail(ErrorCode::kInvalidArgument, "part {} is a {}, expected a forest", i,
                  AlgorithmName(parts[i]));
    }
    if (parts[i].features != whole.features || parts[i].classes != whole.classes ||
        parts[i].target != whole.target) {
      return Fail(ErrorCode::kInvalidArgument,
                  "part {} has other features or classes than part 0, expected the same", i);
    }
    AppendTrees(std::get<Forest>(whole.body), *forest, whole.Width());
  }
  KILN_TRY_OK(CheckModel(whole));
  return whole;
}

}  // namespace kiln::executor
