#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <cmath>
#include <functional>
#include <limits>

#include "base/random.h"
#include "executor/kernels/predict.h"
#include "executor/kernels/similarity.h"

namespace kiln::executor {
namespace {

std::vector<float> RandomFloats(size_t count, uint64_t seed) {
  Random random(seed);
  std::vector<float> floats(count);
  for (float& value : floats) value = static_cast<float>(random.Unit() * 2 - 1);
  return floats;
}

// A tree that is full down to `depth`, with random features, thresholds and leaves.
void AddTree(Forest& forest, uint32_t features, size_t width, int depth, Random& random) {
  const std::function<void(uint32_t, int)> grow = [&](uint32_t at, int left) {
    // Some branches end early, so that trees are uneven.
    if (left == 0 || random.Below(8) == 0) {
      const auto leaf = static_cast<uint32_t>(forest.leaves.size() / width);
      forest.nodes[at] = {.left = at, .leaf = leaf};
      for (size_t k = 0; k < width; ++k) {
        forest.leaves.push_back(static_cast<float>(random.Unit()));
      }
      return;
    }
    const auto child = static_cast<uint32_t>(forest.nodes.size());
    forest.nodes.resize(child + 2);
    forest.nodes[at] = {.threshold = static_cast<float>(random.Unit() * 2 - 1),
                        .feature = static_cast<uint32_t>(random.Below(features)),
                        .left = child};
    grow(child, left - 1);
    grow(child + 1, left - 1);
  };
  forest.roots.push_back(static_cast<uint32_t>(forest.nodes.size()));
  forest.nodes.emplace_back();
  grow(forest.roots.back(), depth);
}

Model RandomModel(bool forest, size_t classes, size_t features, uint64_t seed) {
  Random random(seed);
  Model model;
  for (size_t i = 0; i < features; ++i) model.features.push_back("f" + std::to_string(i));
  model.target = "t";
  for (size_t i = 0; i < classes; ++i) model.classes.push_back("c" + std::to_string(i));
  if (forest) {
    Forest body;
    for (int tree = 0; tree < 9; ++tree) {
      AddTree(body, static_cast<uint32_t>(features), model.Width(), tree, random);
    }
    model.body = body;
  } else {
    model.body =
        Affine{RandomFloats(model.Width() * features, seed), RandomFloats(model.Width(), seed + 1)};
  }
  return model;
}

// Runs the claim on every instruction set of this machine.
void OnEachTarget(const std::function<void()>& claim) {
  for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
    SCOPED_TRACE(hwy::TargetName(target));
    hwy::SetSupportedTargetsForTest(target);
    claim();
  }
  hwy::SetSupportedTargetsForTest(0);
}

TEST(SimilarityTest, VectorAndScalarAgreeToTheBitOnEveryTarget) {
  OnEachTarget([] {
    for (const Metric metric : {Metric::kDot, Metric::kCosine, Metric::kEuclidean}) {
      for (const size_t columns : {1, 3, 15, 16, 17, 64, 100}) {
        for (const size_t rows : {0, 1, 4, 7, 300}) {
          const std::vector<float> data = RandomFloats(rows * columns, rows + columns);
          const std::vector<float> query = RandomFloats(columns, 7);
          std::vector<float> got(rows), want(rows);
          Similarities(metric, query, {data.data(), rows, columns}, got);
          SimilaritiesScalar(metric, query, {data.data(), rows, columns}, want);
          EXPECT_EQ(got, want);
        }
      }
    }
  });
}

TEST(SimilarityTest, KnownValues) {
  const std::vector<float> rows = {3, 4, 0, 0, -6, -8};
  const std::vector<float> query = {6, 8};
  const auto scores = [&](Metric metric) {
    std::vector<float> out(3);
    Similarities(metric, query, {rows.data(), 3, 2}, out);
    return out;
  };
  EXPECT_EQ(scores(Metric::kDot), (std::vector<float>{50, 0, -100}));
  EXPECT_EQ(scores(Metric::kCosine), (std::vector<float>{1, 0, -1}));
  EXPECT_EQ(scores(Metric::kEuclidean), (std::vector<float>{-5, -10, -20}));
}

TEST(PredictTest, VectorAndScalarAgreeToTheBitOnEveryTarget) {
  OnEachTarget([] {
    for (const bool forest : {true, false}) {
      for (const size_t classes : {0, 2, 10}) {
        const Model model = RandomModel(forest, classes, 20, classes);
        ASSERT_TRUE(CheckModel(model).has_value());
        for (const size_t count : {1, 16, 33, 300}) {
          const std::vector<float> data = RandomFloats(count * 20, count);
          const MatrixView rows = {data.data(), count, 20};
          std::vector<float> want(count * model.Width());
          PredictScalar(model, rows, want);
          EXPECT_EQ(Predict(model, rows), want);
        }
      }
    }
  });
}

TEST(PredictTest, ARowGivesTheSameAloneAndAmongOthers) {
  for (const bool forest : {true, false}) {
    const Model model = RandomModel(forest, 3, 20, 1);
    const std::vector<float> data = RandomFloats(100 * 20, 2);
    const MatrixView rows = {data.data(), 100, 20};
    std::vector<float> alone;
    for (size_t i = 0; i < 100; ++i) {
      for (const float value : Predict(model, rows.Rows(i, 1))) alone.push_back(value);
    }
    EXPECT_EQ(Predict(model, rows), alone);
  }
}

TEST(PredictTest, NotANumberGoesLeftAndEndsAtALeaf) {
  Model model = {{"a"}, "t", {}, Forest{}};
  model.body =
      Forest{{{0.5f, 0, 1, 0}, {.left = 1, .leaf = 0}, {.left = 2, .leaf = 1}}, {0}, {10, 20}};
  ASSERT_TRUE(CheckModel(model).has_value());
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  std::vector<float> data = {0.5f, 0.6f, nan, infinity, -infinity};
  data.resize(40, 1);
  std::vector<float> want = {10, 20, 10, 20, 10};
  want.resize(40, 20);
  EXPECT_EQ(Predict(model, {data.data(), data.size(), 1}), want);
}

TEST(PredictTest, ProbabilitiesOfASoftmaxSumToOne) {
  Model model = {{"a"}, "t", {"x", "y"}, Affine{{1, 2}, {0, 1}}};
  const std::vector<float> rows = {0, 1000};
  const std::vector<float> out = Predict(model, {rows.data(), 2, 1});
  EXPECT_THAT(out, testing::Pointwise(testing::FloatEq(), {1 / (1 + std::exp(1.0f)),
                                                           1 / (1 + std::exp(-1.0f)), 0.0f, 1.0f}));
  EXPECT_EQ(BestClasses(out, 2), (std::vector<uint32_t>{1, 1}));
  EXPECT_EQ(BestClasses(std::vector<float>{0.5f, 0.5f}, 2), std::vector<uint32_t>{0});
}

TEST(PredictTest, OtherColumnsAreRefused) {
  const Model model = RandomModel(false, 0, 2, 1);
  EXPECT_TRUE(CheckColumns(model, {"f0", "f1"}).has_value());
  EXPECT_EQ(CheckColumns(model, {"f0"}).error().message,
            "the rows have 1 columns, the model expects 2");
  EXPECT_EQ(CheckColumns(model, {"f1", "f0"}).error().message,
            "column 1 of the rows is f1, the model expects f0");
}

}  // namespace
}  // namespace kiln::executor
