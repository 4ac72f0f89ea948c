#include "scheduler/placement/role_usage.h"

#include <gmock/gmock.h>

#include <cmath>

namespace kiln::scheduler {
namespace {

using std::chrono::hours;

constexpr Instant kZero{1'000'000'000'000};
constexpr Amounts kTwo = {0, 0, 0, 2};

double PastGpus(const RoleUsage& usage, Duration after) {
  return usage.At(kZero + after).at("r").past[3];
}

TEST(RoleUsage, UseIsWhatHasStartedAndNotEnded) {
  RoleUsage usage(hours(1));
  usage.Start("r", kTwo, kZero);
  usage.Start("r", kTwo, kZero);
  usage.Start("s", kTwo, kZero);
  usage.End("r", kTwo, kZero);
  EXPECT_EQ(usage.At(kZero),
            (std::map<std::string, RoleUse>{{"r", {.used = kTwo}}, {"s", {.used = kTwo}}}));
}

TEST(RoleUsage, ThePastGrowsToTheUseAndFadesByHalf) {
  RoleUsage usage(hours(1));
  usage.Start("r", kTwo, kZero);
  EXPECT_DOUBLE_EQ(PastGpus(usage, hours(0)), 0);
  EXPECT_DOUBLE_EQ(PastGpus(usage, hours(1)), 1);
  EXPECT_DOUBLE_EQ(PastGpus(usage, hours(2)), 1.5);
  EXPECT_NEAR(PastGpus(usage, hours(50)), 2, 1e-9);
  usage.End("r", kTwo, kZero + hours(2));
  EXPECT_DOUBLE_EQ(PastGpus(usage, hours(3)), 0.75);
  EXPECT_DOUBLE_EQ(PastGpus(usage, hours(4)), 0.375);
}

TEST(RoleUsage, NewsMayComeInAnyOrder) {
  RoleUsage in_order(hours(1)), late(hours(1));
  in_order.Start("r", kTwo, kZero);
  in_order.Start("r", {0, 0, 0, 4}, kZero + hours(1));
  in_order.End("r", kTwo, kZero + hours(2));
  late.Start("r", {0, 0, 0, 4}, kZero + hours(1));
  EXPECT_EQ(late.At(kZero + hours(3)).at("r").used[3], 4);
  late.Start("r", kTwo, kZero);
  late.End("r", kTwo, kZero + hours(2));
  EXPECT_NEAR(PastGpus(in_order, hours(5)), PastGpus(late, hours(5)), 1e-12);
}

TEST(RoleUsage, WithoutHalfLifeThePastIsThePresent) {
  RoleUsage usage{Duration(0)};
  usage.Start("r", kTwo, kZero);
  EXPECT_DOUBLE_EQ(PastGpus(usage, hours(1)), 2);
  usage.End("r", kTwo, kZero + hours(1));
  EXPECT_DOUBLE_EQ(PastGpus(usage, hours(1)), 0);
}

}  // namespace
}  // namespace kiln::scheduler
