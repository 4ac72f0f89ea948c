#include <gtest/gtest.h>

#include "base/random.h"
#include "base/result.h"
#include "base/time.h"

namespace kiln {
namespace {

Result<int> Half(int number) {
  if (number % 2 != 0)
    return Fail(ErrorCode::kInvalidArgument, "number is {}, expected an even one", number);
  return number / 2;
}

Result<int> Quarter(int number) {
  KILN_TRY(const int half, Half(number));
  return Half(half);
}

TEST(ResultTest, TryPassesTheErrorOn) {
  EXPECT_EQ(Quarter(12), 3);
  EXPECT_EQ(Quarter(6), Fail(ErrorCode::kInvalidArgument, "number is 3, expected an even one"));
}

TEST(RandomTest, SeedGivesTheSameStreamEverywhere) {
  // The first numbers of the reference implementation for seed 1234567.
  Random random(1234567);
  EXPECT_EQ(random(), 6457827717110365317u);
  EXPECT_EQ(random(), 3203168211198807973u);
}

TEST(RandomTest, UuidHasVersionFourAndVariant) {
  Random random(1);
  const std::string text = UuidText(UuidBytes(random));
  ASSERT_EQ(text.size(), 36u);
  EXPECT_EQ(text[14], '4');
  EXPECT_NE(std::string("89ab").find(text[19]), std::string::npos);
}

TEST(ManualClockTest, MovesOnlyWhenTold) {
  ManualClock clock({5});
  EXPECT_EQ(clock.Now(), Instant{5});
  clock.Advance(std::chrono::nanoseconds(7));
  EXPECT_EQ(clock.Now(), Instant{12});
}

}  // namespace
}  // namespace kiln
