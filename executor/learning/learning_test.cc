#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <numeric>

#include "base/random.h"
#include "executor/kernels/predict.h"
#include "executor/learning/bins.h"
#include "executor/learning/train.h"

namespace kiln::executor {
namespace {

using testing::ElementsAre;

const Table& Digits() {
  static const Table table =
      ReadTable(KILN_SOURCE_ROOT "/examples/digits/digits.csv.gz", {.target = "digit"}).value();
  return table;
}

std::vector<size_t> AllRows(const Table& table) {
  std::vector<size_t> rows(table.Rows());
  std::iota(rows.begin(), rows.end(), size_t{0});
  return rows;
}

// y = sin(4a) + b with noise columns.
Table Waves(size_t rows) {
  Random random(5);
  Table table;
  table.columns = {"a", "b", "noise"};
  for (size_t i = 0; i < rows; ++i) {
    const double a = random.Unit(), b = random.Unit();
    for (const double value : {a, b, random.Unit()}) {
      table.values.push_back(static_cast<float>(value));
    }
    table.numbers.push_back(std::sin(4 * a) + b);
    table.row_numbers.push_back(static_cast<int64_t>(i));
  }
  return table;
}

double DigitsAccuracy(Algorithm algorithm, uint64_t seed) {
  const RowSplit split = SplitRows(Digits().Rows(), 0.25, seed).value();
  const Model model =
      Train(Digits(), "digit", split.train, {.algorithm = algorithm, .seed = seed, .trees = 200})
          .value();
  return Measure(model, Digits(), split.test).value().at("accuracy");
}

TEST(SplitRowsTest, EachRowIsInOneHalfAndTheSeedDecides) {
  const RowSplit split = SplitRows(1797, 0.25, 42).value();
  EXPECT_EQ(split.test.size(), 449u);
  std::vector<size_t> all = split.train;
  all.insert(all.end(), split.test.begin(), split.test.end());
  std::sort(all.begin(), all.end());
  EXPECT_EQ(all, AllRows(Digits()));
  EXPECT_EQ(SplitRows(1797, 0.25, 42).value().test, split.test);
  EXPECT_NE(SplitRows(1797, 0.25, 43).value().test, split.test);
  // The same on every machine: parts of one training must agree.
  EXPECT_THAT(SplitRows(8, 0.5, 1).value().test, ElementsAre(0, 1, 3, 7));
  EXPECT_EQ(SplitRows(1, 0.9, 1).value().train.size(), 1u);
}

TEST(RunParallelTest, DoesEachNumberOnceAndReportsGrowingFractions) {
  std::vector<std::atomic<int>> done(100);
  std::vector<double> fractions;
  ASSERT_TRUE(
      RunParallel(4, 100, {.report = [&](double f) { fractions.push_back(f); }}, [&](size_t i) {
        ++done[i];
      }).has_value());
  for (const auto& count : done) EXPECT_EQ(count, 1);
  EXPECT_TRUE(std::is_sorted(fractions.begin(), fractions.end()));
  EXPECT_EQ(fractions.back(), 1);
}

TEST(RunParallelTest, ACancelEndsIt) {
  std::atomic<bool> cancelled = false;
  const Status status = RunParallel(2, 1000, {.cancelled = &cancelled}, [&](size_t i) {
    if (i == 10) cancelled = true;
  });
  EXPECT_EQ(status.error(), (Error{ErrorCode::kFailedPrecondition, "the work was cancelled", {}}));
}

TEST(BinsTest, FewValuesGetABinEachAndManyAreCutEvenly) {
  const std::vector<float> few = {3, 1, 1, 7, NAN};
  const Bins bins = MakeBins({few.data(), 5, 1}, 1, {}).value();
  EXPECT_EQ(bins.cuts[0], (std::vector<float>{2, 5}));
  EXPECT_EQ(bins.bins, (std::vector<uint8_t>{1, 0, 0, 2, 0}));

  std::vector<float> many(10'000);
  std::iota(many.begin(), many.end(), 0.0f);
  const Bins cut = MakeBins({many.data(), many.size(), 1}, 2, {}).value();
  EXPECT_EQ(cut.Count(0), kBinsMax);
  std::vector<int> sizes(kBinsMax);
  for (const uint8_t bin : cut.bins) ++sizes[bin];
  EXPECT_GE(*std::min_element(sizes.begin(), sizes.end()), 38);
  EXPECT_LE(*std::max_element(sizes.begin(), sizes.end()), 41);
}

TEST(ForestTest, KnowsHandwrittenDigits) {
  EXPECT_GE(DigitsAccuracy(Algorithm::kRandomForestClassifier, 42), 0.96);
}

TEST(ForestTest, KnowsHandwrittenDigitsOnAverageOverSeeds) {
  double sum = 0;
  for (uint64_t seed = 0; seed < 10; ++seed) {
    sum += DigitsAccuracy(Algorithm::kRandomForestClassifier, seed);
  }
  RecordProperty("accuracy", std::to_string(sum / 10));
  EXPECT_GE(sum / 10, 0.97);
}

TEST(ForestTest, PartsJoinedAreTheWholeForAnyNumberOfThreads) {
  const std::vector<size_t> rows = SplitRows(Digits().Rows(), 0.25, 42).value().train;
  TrainOptions options = {.seed = 7, .threads = 1, .trees = 21};
  const Model whole = Train(Digits(), "digit", rows, options).value();
  options.threads = 5;
  EXPECT_EQ(Train(Digits(), "digit", rows, options).value(), whole);
  std::vector<Model> parts;
  for (int i = 0; i < 4; ++i) {
    options.tree_begin = i * 21 / 4;
    options.tree_end = (i + 1) * 21 / 4;
    parts.push_back(Train(Digits(), "digit", rows, options).value());
  }
  EXPECT_EQ(Join(parts).value(), whole);
}

TEST(ForestTest, KeepsItsLimits) {
  const std::vector<size_t> rows = AllRows(Digits());
  const auto size = [&](TrainOptions options) {
    options.trees = 1;
    return std::get<Forest>(Train(Digits(), "digit", rows, options).value().body).nodes.size();
  };
  EXPECT_EQ(size({.depth_max = 1}), 3u);
  EXPECT_LE(size({.depth_max = 3}), 15u);
  EXPECT_LE(size({.leaf_rows_min = 100}), 2 * 1797u / 100);
  EXPECT_EQ(size({.leaf_rows_min = 1000}), 1u);
}

TEST(ForestTest, FindsNumbers) {
  const Table table = Waves(2000);
  const RowSplit split = SplitRows(table.Rows(), 0.25, 1).value();
  const Model model =
      Train(table, "y", split.train, {.algorithm = Algorithm::kRandomForestRegressor}).value();
  const auto measures = Measure(model, table, split.test).value();
  EXPECT_GT(measures.at("r2"), 0.97);
  EXPECT_LT(measures.at("rmse"), 0.1);
}

TEST(LinearTest, FindsTheWeightsOfASum) {
  Table table = Waves(500);
  table.columns.push_back("twice a");  // depends on a
  std::vector<float> values;
  for (size_t i = 0; i < 500; ++i) {
    const float* row = &table.values[i * 3];
    values.insert(values.end(), {row[0], row[1], row[2], 2 * row[0]});
    table.numbers[i] = 1000 + 5.0 * row[0] - 3.0 * row[1];
  }
  table.values = values;
  const Model model =
      Train(table, "y", AllRows(table), {.algorithm = Algorithm::kLinearRegression}).value();
  const Affine& affine = std::get<Affine>(model.body);
  EXPECT_NEAR(affine.weights[0] + 2 * affine.weights[3], 5, 1e-4);
  EXPECT_NEAR(affine.weights[1], -3, 1e-4);
  EXPECT_NEAR(affine.weights[2], 0, 1e-4);
  EXPECT_NEAR(affine.bias[0], 1000, 1e-3);
  EXPECT_NEAR(Measure(model, table, AllRows(table)).value().at("r2"), 1, 1e-6);
}

TEST(LinearTest, L2PullsTheWeightsToZero) {
  const Table table = {{"a"}, {-1, 0, 1}, {}, {-2, 0, 2}, {}, {0, 1, 2}};
  const auto weight = [&](double l2) {
    return std::get<Affine>(Train(table, "y", AllRows(table),
                                  {.algorithm = Algorithm::kLinearRegression, .l2 = l2})
                                .value()
                                .body)
        .weights[0];
  };
  EXPECT_NEAR(weight(0), 2, 1e-6);
  EXPECT_NEAR(weight(2), 1, 1e-6);  // 4 / (2 + l2)
}

TEST(SoftmaxTest, KnowsHandwrittenDigits) {
  EXPECT_GE(DigitsAccuracy(Algorithm::kSoftmaxRegression, 42), 0.94);
}

TEST(SoftmaxTest, TheSeedDecides) {
  const std::vector<size_t> rows = AllRows(Digits());
  TrainOptions options = {.algorithm = Algorithm::kSoftmaxRegression, .seed = 3, .epochs = 2};
  const Model model = Train(Digits(), "digit", rows, options).value();
  EXPECT_EQ(Train(Digits(), "digit", rows, options).value(), model);
  options.seed = 4;
  EXPECT_NE(Train(Digits(), "digit", rows, options).value(), model);
}

TEST(TrainTest, ClassesAreOrderedByNumber) {
  const Table table = {{"a"}, {1, 2, 3}, {"10", "9", "-1"}, {}, {}, {0, 1, 2}};
  EXPECT_EQ(Train(table, "t", AllRows(table), {.trees = 1}).value().classes,
            (std::vector<std::string>{"-1", "9", "10"}));
  const Table text = {{"a"}, {1, 2, 3}, {"10", "9", "b"}, {}, {}, {0, 1, 2}};
  EXPECT_EQ(Train(text, "t", AllRows(text), {.trees = 1}).value().classes,
            (std::vector<std::string>{"10", "9", "b"}));
}

TEST(TrainTest, BadInputNamesThingFoundAndExpected) {
  const Table table = {{"a"}, {1, 2}, {"x", "y"}, {}, {}, {0, 1}};
  const Table alike = {{"a"}, {1, 2}, {"x", "x"}, {}, {}, {0, 1}};
  const struct {
    const Table& table;
    TrainOptions options;
    std::string message;
  } cases[] = {
      {table, {.trees = 0}, "trees is 0, expected 1 to 1000000"},
      {table,
       {.trees = 3, .tree_begin = 1, .tree_end = 1},
       "the part from tree 1 to 1 of 3 has none, expected at least one"},
      {table, {.depth_max = -1}, "depth_max is -1, expected 0 or more"},
      {table, {.leaf_rows_min = 0}, "leaf_rows_min is 0, expected 1 or more"},
      {table, {.features_per_split = 2}, "features_per_split is 2, expected 0 to 1"},
      {table,
       {.algorithm = Algorithm::kSoftmaxRegression, .learning_rate = 0},
       "learning_rate is 0, expected more than 0"},
      {table,
       {.algorithm = Algorithm::kSoftmaxRegression, .epochs = -3},
       "epochs is -3, expected 1 or more"},
      {table,
       {.algorithm = Algorithm::kSoftmaxRegression, .l2 = -1},
       "l2 is -1, expected 0 or more"},
      {table,
       {.algorithm = Algorithm::kLinearRegression},
       "the table has no target column of numbers, expected one"},
      {alike, {}, "the target t has 1 classes, expected 2 to 65536"},
  };
  for (const auto& c : cases) {
    const std::vector<size_t> rows = {0, 1};
    EXPECT_EQ(Train(c.table, "t", rows, c.options).error().message, c.message);
  }
  EXPECT_EQ(Train(table, "t", {}, {}).error().message, "no rows to train on, expected some");
  EXPECT_EQ(Train(table, "a", std::vector<size_t>{0}, {}).error().message,
            "the target a is a feature too, expected another");
  EXPECT_EQ(SplitRows(10, 1, 0).error().message,
            "test_fraction is 1, expected at least 0 and less than 1");
  EXPECT_EQ(Join({}).error().message, "no parts to join, expected some");
}

TEST(TrainTest, ACancelledTrainingEndsWithAnError) {
  const std::atomic<bool> cancelled = true;
  for (const Algorithm algorithm :
       {Algorithm::kRandomForestClassifier, Algorithm::kSoftmaxRegression}) {
    EXPECT_EQ(Train(Digits(), "digit", AllRows(Digits()), {.algorithm = algorithm},
                    {.cancelled = &cancelled})
                  .error()
                  .code,
              ErrorCode::kFailedPrecondition);
  }
}

TEST(MeasureTest, KnownValues) {
  const Model line = {{"a"}, "t", {}, Affine{{1}, {0}}};
  const Table numbers = {{"a"}, {1, 2, 3}, {}, {1, 2, 6}, {}, {0, 1, 2}};
  const auto measures = Measure(line, numbers, AllRows(numbers)).value();
  EXPECT_NEAR(measures.at("rmse"), std::sqrt(3.0), 1e-9);
  EXPECT_NEAR(measures.at("r2"), 1 - 9 / 14.0, 1e-9);

  const Model even = {{"a"}, "t", {"x", "y"}, Affine{{0, 0}, {1, 1}}};
  const Table labels = {{"a"}, {1, 2, 3, 4}, {"x", "x", "x", "z"}, {}, {}, {0, 1, 2, 3}};
  const std::vector<size_t> known = {0, 1, 2};
  EXPECT_NEAR(Measure(even, labels, known).value().at("log_loss"), std::log(2), 1e-6);
  EXPECT_EQ(Measure(even, labels, AllRows(labels)).value().at("accuracy"), 0.75);
  EXPECT_EQ(Measure(even, labels, {}).value(), (std::map<std::string, double>{}));
}

}  // namespace
}  // namespace kiln::executor
