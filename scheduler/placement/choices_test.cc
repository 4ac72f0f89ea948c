#include "scheduler/placement/choices.h"

#include <gmock/gmock.h>

#include "base/random.h"

namespace kiln::scheduler {
namespace {

using Ints = Choices<int>;

// Rooms whose ranks sink, close or open by chance, as members go into them.
struct Room {
  int rank = 0;
  bool closed = false;
  bool barred = false;
};

std::optional<size_t> BestOf(const std::vector<Room>& rooms) {
  std::optional<size_t> best;
  for (size_t i = 0; i < rooms.size(); ++i) {
    if (rooms[i].closed || rooms[i].barred) continue;
    if (!best || rooms[i].rank > rooms[*best].rank) best = i;
  }
  return best;
}

TEST(Choices, AreAsALookAtEveryRoom) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    Random random(seed);
    std::vector<Room> rooms(10);
    std::vector<size_t> all;
    for (size_t i = 0; i < rooms.size(); ++i) {
      rooms[i] = {static_cast<int>(random.Below(5)), false, random.Below(3) == 0};
      all.push_back(i);
    }
    Ints choices(all);
    for (int step = 0; step < 40; ++step) {
      const auto best = choices.Best(true, [&](size_t i) -> Ints::Look {
        if (rooms[i].closed) return Ints::Closed();
        if (rooms[i].barred) return Ints::Barred();
        return rooms[i].rank;
      });
      ASSERT_EQ(best, BestOf(rooms)) << "seed " << seed;
      if (!best) break;
      // The room that was given may change in any way, the others only sink, close or open.
      rooms[*best].rank = static_cast<int>(random.Below(5));
      rooms[*best].closed = random.Below(5) == 0;
      Room& other = rooms[random.Below(rooms.size())];
      other.rank -= static_cast<int>(random.Below(2));
      other.barred = other.barred && random.Below(2) == 0;
    }
  }
}

TEST(Choices, WhatIsBarredIsLookedAtAgainOnlyWhenAsked) {
  Ints choices({0});
  const auto barred = [](size_t) -> Ints::Look { return Ints::Barred(); };
  const auto open = [](size_t) -> Ints::Look { return 1; };
  EXPECT_EQ(choices.Best(false, barred), std::nullopt);
  EXPECT_EQ(choices.Best(false, open), std::nullopt);
  EXPECT_EQ(choices.Best(true, open), 0U);
}

}  // namespace
}  // namespace kiln::scheduler
