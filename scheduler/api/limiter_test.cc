#include "scheduler/api/limiter.h"

#include <gtest/gtest.h>

namespace kiln::scheduler {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const Instant kStart = Instant{} + seconds(1000);

// How many of `requests` at this moment need not wait.
int Taken(Limiter& limiter, const std::string& caller, int requests, Instant now) {
  int taken = 0;
  for (int i = 0; i < requests; ++i) taken += limiter.Take(caller, now) ? 0 : 1;
  return taken;
}

TEST(Limiter, EachCallerHasABurstAndThenItsRate) {
  Limiter limiter({.per_second = 10, .burst = 30});
  EXPECT_EQ(Taken(limiter, "a", 100, kStart), 30);
  EXPECT_EQ(Taken(limiter, "b", 100, kStart), 30);
  EXPECT_EQ(limiter.Take("a", kStart), std::optional<Duration>(milliseconds(100)));
  EXPECT_EQ(Taken(limiter, "a", 100, kStart + seconds(1)), 10);
  EXPECT_EQ(Taken(limiter, "a", 100, kStart + seconds(60)), 30);
  EXPECT_EQ(Taken(limiter, "a", 100, kStart), 0) << "the clock went back";
}

TEST(Limiter, ToAskHowLongCountsNothing) {
  Limiter limiter({.per_second = 1, .burst = 2});
  for (int i = 0; i < 5; ++i) EXPECT_EQ(limiter.Wait("a", kStart), std::nullopt);
  EXPECT_EQ(Taken(limiter, "a", 5, kStart), 2);
}

TEST(Limiter, ThereAreMoreCallersThanAreKept) {
  Limiter limiter({.per_second = 1, .burst = 1});
  int taken = 0;
  for (int i = 0; i < 20'000; ++i) taken += Taken(limiter, std::to_string(i), 1, kStart);
  EXPECT_EQ(taken, 10'001) << "and one for all others";
  EXPECT_EQ(Taken(limiter, "late", 1, kStart + seconds(2)), 1);
}

}  // namespace
}  // namespace kiln::scheduler
