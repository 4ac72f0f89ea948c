#include "scheduler/placement/expected_fill.h"

#include <gtest/gtest.h>

namespace kiln::scheduler {
namespace {

Shape Node(int64_t cpus_milli, std::initializer_list<int16_t> free) {
  Shape shape{.cpus_milli = cpus_milli, .mem = GiB(64)};
  for (const int16_t milli : free) shape.free[static_cast<size_t>(shape.devices++)] = milli;
  return shape;
}

Workload Of(std::vector<Demand> demands) {
  return {std::move(demands), {{Node(51200, {1000, 1000}), 10}}};
}

// One task that comes at rate 1 to every node, and an end at rate 0.01.
TEST(ExpectedFill, IsTheRewardOfTheChainForOneTask) {
  const ExpectedFill judge(Of({{{.cpus_milli = 1000, .devices = 1, .milli = 400}, 1}}));
  const double one = 400 / 1.01;
  const double two = (400 + one) / 1.01;
  const std::pair<Shape, double> cases[] = {
      {Node(20000, {399}), 0},   {Node(20000, {400}), one},  {Node(20000, {799}), one},
      {Node(20000, {800}), two}, {Node(20000, {1000}), two}, {Node(20000, {400, 400}), 2 * one},
      {Node(900, {1000}), 0},    {Node(20000, {}), 0},       {Node(1000, {1000}), one},
  };
  for (const auto& [shape, worth] : cases) EXPECT_NEAR(judge.Value(shape), worth, 0.1);
}

TEST(ExpectedFill, ADeviceThatIsSharedIsAsGoodAsOneThatIsNot) {
  const ExpectedFill judge(Of({{{.devices = 1, .milli = 500}, 1}, {{.devices = 1}, 1}}));
  const auto score = [&](const Shape& before, const Shape& after) {
    return judge.Score(judge.Value(before), judge.Value(after));
  };
  EXPECT_EQ(score(Node(9000, {1000, 500}), Node(9000, {1000})),
            score(Node(9000, {1000, 1000}), Node(9000, {1000, 500})));
}

TEST(ExpectedFill, WhatSuitsNobodyIsWorthNothingAndWhatSuitsARareTaskLittle) {
  const ExpectedFill judge(Of({{{.cpus_milli = 1000, .devices = 1, .milli = 800}, 999},
                               {{.cpus_milli = 1000, .devices = 1, .milli = 200}, 1}}));
  const double rest = judge.Value(Node(50000, {200}));
  EXPECT_EQ(judge.Value(Node(50000, {190})), 0);
  EXPECT_GT(rest, 0);
  EXPECT_LT(rest, 0.1 * judge.Value(Node(50000, {800})));
}

TEST(ExpectedFill, DevicesNeedProcessorsBesideThem) {
  const ExpectedFill judge(Of({{{.cpus_milli = 10000, .devices = 1}, 1}}));
  const double plenty = judge.Value(Node(50000, {1000, 1000}));
  EXPECT_GT(plenty, 1900);
  EXPECT_LT(judge.Value(Node(19000, {1000, 1000})), 0.6 * plenty);
}

TEST(ExpectedFill, TasksOfManyDevicesKeepNodesWhole) {
  const Need pair{.cpus_milli = 1000, .devices = 2};
  const ExpectedFill judge(Of({{pair, 1}, {{.cpus_milli = 1000, .devices = 1}, 3}}));
  const double broken = judge.Value(Node(50000, {1000}));
  EXPECT_GT(judge.Value(Node(50000, {1000, 1000})), broken);
  EXPECT_EQ(ExpectedFill(Of({{pair, 1}})).Value(Node(50000, {1000})), 0);
}

TEST(ExpectedFill, AModelThatNobodyAsksForIsWorthNothing) {
  const ExpectedFill judge(Of({{{.cpus_milli = 1000, .devices = 1, .kinds = 1}, 1}}));
  Shape other = Node(50000, {1000});
  EXPECT_GT(judge.Value(other), 900);
  other.kind = 1;
  EXPECT_EQ(judge.Value(other), 0);
}

TEST(ExpectedFill, NothingIsKnownWithoutAWorkload) {
  EXPECT_EQ(ExpectedFill({}).Value(Node(50000, {1000})), 0);
}

}  // namespace
}  // namespace kiln::scheduler
