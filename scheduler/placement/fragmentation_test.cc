#include "scheduler/placement/fragmentation.h"

#include <gtest/gtest.h>

namespace kiln::scheduler {
namespace {

// Half of the tasks take a device and four cores, a quarter 0.4 of a device and two, a quarter no
// device.
const Workload kWorkload{.demands = {{{.cpus_milli = 4000, .mem = GiB(1), .devices = 1}, 1},
                                     {{.cpus_milli = 4000, .mem = GiB(2), .devices = 1}, 1},
                                     {{.cpus_milli = 2000, .devices = 1, .milli = 400}, 1},
                                     {{.cpus_milli = 1000}, 1}}};

Shape Node(int64_t cpus_milli, int16_t first, int16_t second) {
  return {.cpus_milli = cpus_milli, .mem = GiB(9), .devices = 2, .free = {first, second}};
}

TEST(Fragmentation, IsWhatTheMeanTypicalTaskCannotUse) {
  const Fragmentation judge(kWorkload);
  const std::pair<Shape, double> cases[] = {
      {Node(8000, 1000, 1000), 500},  // the task without a device
      {Node(8000, 1000, 300), 0.5 * 300 + 0.25 * 300 + 0.25 * 1300},
      {Node(8000, 600, 500), 0.5 * 1100 + 0.25 * 1100},  // no whole device
      {Node(3000, 1000, 0), 0.5 * 1000 + 0.25 * 1000},   // too few cores for one
      {Node(1000, 1000, 1000), 2000},
      {Node(8000, 0, 0), 0},
  };
  for (const auto& [shape, fragments] : cases) EXPECT_DOUBLE_EQ(judge.Value(shape), -fragments);
}

TEST(Fragmentation, ScoresAreWholeNumbersOfASigmoid) {
  const Fragmentation judge(kWorkload);
  EXPECT_EQ(judge.Score(-500, -500), 50);
  EXPECT_EQ(judge.Score(-500, -1500), 26);
  EXPECT_EQ(judge.Score(-1500, -500), 73);
}

TEST(Fragmentation, RareTasksAreNotTypical) {
  Workload workload{.demands = {{{.devices = 1}, 95}, {{.devices = 1, .milli = 100}, 5}}};
  const Fragmentation judge(workload);
  EXPECT_DOUBLE_EQ(judge.Value(Node(1000, 500, 100)), -600);
}

}  // namespace
}  // namespace kiln::scheduler
