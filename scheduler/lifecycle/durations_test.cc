#include "scheduler/lifecycle/durations.h"

#include <gtest/gtest.h>

namespace kiln::scheduler {
namespace {

using std::chrono::minutes;

Group Work(const std::string& shell) { return {.name = "g", .work = CommandWork{.shell = shell}}; }

TEST(Durations, TheLongestOfTheLastEightIsExpected) {
  Durations durations;
  EXPECT_EQ(durations.Of(Work("train")), std::nullopt);
  durations.Add(Work("train"), minutes(50));
  durations.Add(Work("test"), minutes(5));
  for (int i = 1; i < 8; ++i) durations.Add(Work("train"), minutes(i));
  EXPECT_EQ(durations.Of(Work("train")), minutes(50));
  durations.Add(Work("train"), minutes(8));
  EXPECT_EQ(durations.Of(Work("train")), minutes(8));
  EXPECT_EQ(durations.Of(Work("test")), minutes(5));
}

TEST(Durations, OfMuchUnlikeWorkTheLastIsKept) {
  Durations durations;
  for (int i = 0; i < 5000; ++i) durations.Add(Work(std::to_string(i)), minutes(1));
  EXPECT_EQ(durations.Of(Work("0")), std::nullopt);
  EXPECT_EQ(durations.Of(Work("4999")), minutes(1));
}

}  // namespace
}  // namespace kiln::scheduler
