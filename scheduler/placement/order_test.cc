#include "scheduler/placement/order.h"

#include <gmock/gmock.h>

#include <chrono>

#include "base/random.h"

namespace kiln::scheduler {
namespace {

using std::chrono::hours;
using testing::ElementsAre;

constexpr Amounts kTotal = {64'000, 0, 0, 64'000};

Amounts Cpus(int64_t count) { return {count * 1000, 0, 0, 0}; }
Amounts Gpus(int64_t count) { return {0, 0, 0, count * 1000}; }

// A cluster of 64 cpus and 64 gpus, and the roles of a case.
struct World {
  RoleSettings settings;
  Sharing sharing{.settings = &settings, .total = kTotal};
  std::vector<Bid> bids;

  void Ask(const std::string& role, Amounts each, int64_t precedence = 0) {
    bids.push_back({.role = role, .precedence = {precedence, 0}, .each = each});
  }
  // The roles in the order in which they are served.
  std::string Roles() const {
    std::string text;
    for (const Turn& turn : OrderOf(bids, sharing)) text += bids[turn.bid].role + " ";
    return text;
  }
};

TEST(Order, PriorityGoesFirstAndWaitingIsWorthPriority) {
  const Instant noon{hours(1000).count() * 3600};
  const auto before = [](Precedence a, Precedence b) { return a < b; };
  const Precedence high = PrecedenceOf(60, noon, hours(1));
  EXPECT_TRUE(before(high, PrecedenceOf(50, noon, hours(1))));
  EXPECT_TRUE(before(high, PrecedenceOf(50, noon - hours(9), hours(1))));
  EXPECT_TRUE(before(PrecedenceOf(50, noon - hours(11), hours(1)), high));
  // Ten points are ten hours: the higher priority wins the tie.
  EXPECT_TRUE(before(high, PrecedenceOf(50, noon - hours(10), hours(1))));
  EXPECT_TRUE(before(PrecedenceOf(60, noon, {}), PrecedenceOf(50, noon - hours(10000), {})));
}

TEST(Order, ARoleIsServedByPrecedenceAndThenInTheOrderOfTheList) {
  World world;
  for (const int64_t precedence : {3, 1, 2, 1}) world.Ask("a", Cpus(1), precedence);
  const auto turns = OrderOf(world.bids, world.sharing);
  EXPECT_THAT(turns, ElementsAre(Turn{1, 0, 1}, Turn{3, 0, 1}, Turn{2, 0, 1}, Turn{0, 0, 1}));
}

TEST(Order, TheSmallestDominantShareIsNext) {
  World world;
  // A job of a is 3/64 of the cpus, one of b 1/64 of the gpus.
  for (int i = 0; i < 3; ++i) {
    world.Ask("a", Cpus(3));
    world.Ask("b", Gpus(1));
  }
  EXPECT_EQ(world.Roles(), "a b b b a a ");
}

TEST(Order, WeightDividesTheShare) {
  World world;
  world.settings.roles = {{.name = "b", .weight = 3}};
  for (int i = 0; i < 4; ++i) {
    world.Ask("a", Cpus(1));
    world.Ask("b", Cpus(1));
  }
  EXPECT_EQ(world.Roles(), "a b b b a b a a ");
}

TEST(Order, WhatARoleHasAndHadCounts) {
  World world;
  world.Ask("a", Cpus(1));
  world.Ask("b", Cpus(1));
  world.Ask("c", Cpus(1));
  world.sharing.use["a"] = {.used = Cpus(4)};
  world.sharing.use["b"] = {.past = {2000, 0, 0, 0}};
  EXPECT_EQ(world.Roles(), "c b a ");
}

TEST(Order, WhatAQuotaCoversGoesFirst) {
  World world;
  world.settings.roles = {{.name = "b", .quota = Gpus(2)}};
  world.sharing.use["b"] = {.used = {40'000, 0, 0, 0}};
  world.Ask("a", Gpus(1));
  for (int i = 0; i < 3; ++i) world.Ask("b", Gpus(1), i);
  EXPECT_EQ(world.Roles(), "b b a b ");
  // The quota says nothing of cpus, and does not cover a job that is larger.
  for (const Amounts each : {Cpus(1), Gpus(3)}) {
    for (Bid& bid : world.bids) bid.each = each;
    EXPECT_EQ(world.Roles(), "a b b b ");
  }
}

TEST(Order, TheQuotaOfAParentIsThereForItsChildren) {
  World world;
  world.settings.roles = {{.name = "x", .quota = Gpus(2)}, {.name = "x/b", .weight = 9}};
  world.sharing.use["x/a"] = {.used = Cpus(8)};
  world.Ask("y", Gpus(1));
  world.Ask("x/a", Gpus(1));
  world.Ask("x/b", Gpus(1));
  world.Ask("x/b", Gpus(1), 1);
  EXPECT_EQ(world.Roles(), "x/b x/b y x/a ");
}

TEST(Order, ParentsShareFirstAndThenTheirChildren) {
  World world;
  for (int i = 0; i < 4; ++i) {
    world.Ask("x/a", Cpus(1));
    world.Ask("x/b", Cpus(1));
    world.Ask("y", Cpus(1));
  }
  // Two of three jobs would be of x by leaves alone; by the tree it is one of two.
  EXPECT_EQ(world.Roles(), "x/a y x/b y x/a x/b y y x/a x/b x/a x/b ");
}

// The example of the paper on H-DRF: what x/b uses of gpus is not held against x/a, which needs
// cpus. A plain sum would charge x with the gpus, and y would have the cpus alone.
TEST(Order, ARoleIsNotChargedForWhatItsChildrenCannotUse) {
  World world;
  world.sharing.use["x/b"] = {.used = Gpus(60), .past = {0, 0, 0, 60'000}};
  world.sharing.use["x/a"] = {.used = Cpus(1), .past = {1000, 0, 0, 0}};
  world.sharing.use["y"] = {.used = Cpus(10), .past = {10'000, 0, 0, 0}};
  world.Ask("x/a", Cpus(1));
  world.Ask("x/b", Gpus(1));
  world.Ask("y", Cpus(1));
  EXPECT_EQ(world.Roles(), "x/a y x/b ");
  // Without waiting jobs x/b has what it asked for: that counts.
  world.bids.erase(world.bids.begin() + 1);
  EXPECT_EQ(world.Roles(), "y x/a ");
}

TEST(Order, LargeBidsAreServedInTurnsWhereRolesCompete) {
  World world;
  world.bids = {{.role = "a", .each = Cpus(1), .count = 3},
                {.role = "b", .each = {500, 0, 0, 0}, .count = 4},
                {.role = "b", .each = Cpus(2), .count = 2, .divisible = false}};
  EXPECT_THAT(OrderOf(world.bids, world.sharing),
              ElementsAre(Turn{0, 0, 1}, Turn{1, 0, 2}, Turn{0, 1, 1}, Turn{1, 2, 2}, Turn{0, 2, 1},
                          Turn{2, 0, 2}));
  world.bids.erase(world.bids.begin());
  EXPECT_THAT(OrderOf(world.bids, world.sharing), ElementsAre(Turn{0, 0, 4}, Turn{1, 0, 2}));
}

TEST(Order, SharesAreShownWithWhatIsBelow) {
  World world;
  world.settings.roles = {{.name = "x", .weight = 2, .quota = Gpus(4)}};
  world.sharing.use["x/a"] = {.used = {8'000, 0, 0, 16'000}, .past = {0, 0, 0, 48'000}};
  world.sharing.use["x"] = {.used = Gpus(16)};
  const std::vector<RoleShare> expected = {
      {{.name = "*"}, {}, 0, 0},
      {world.settings.roles[0], {8'000, 0, 0, 32'000}, 0.5, 0.625},
      {{.name = "x/a"}, {8'000, 0, 0, 16'000}, 0.25, 0.5}};
  EXPECT_EQ(SharesOf(world.sharing, {"*"}), expected);
}

// Random trees with random bids.
World Chance(uint64_t seed, size_t count) {
  Random random(seed);
  World world;
  for (const char* name : {"a", "a/x", "a/y", "a/y/z", "b", "b/x", "c"}) {
    world.settings.roles.push_back(
        {.name = name,
         .weight = 0.5 + random.Unit() * 3,
         .quota = {static_cast<int64_t>(random.Below(9)) * 1000, 0, 0, 0}});
    const auto used = static_cast<int64_t>(random.Below(9'000));
    world.sharing.use[name] = {.used = {used, 0, 0, static_cast<int64_t>(random.Below(4000))},
                               .past = {random.Unit() * 1e4, 0, 0, random.Unit() * 4e3}};
  }
  for (size_t i = 0; i < count; ++i) {
    world.bids.push_back(
        {.role = world.settings.roles[random.Below(world.settings.roles.size())].name,
         .precedence = {static_cast<int64_t>(random.Below(20)), 0},
         .each = {static_cast<int64_t>(random.Below(3000)), 0, 0,
                  static_cast<int64_t>(random.Below(3000))},
         .count = 1 + random.Below(5),
         .divisible = random.Below(2) == 0});
  }
  return world;
}

TEST(OrderProperty, EachIsServedOnceInTheOrderOfItsRoleAndTheSameAgain) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    World world = Chance(seed, 100);
    const auto turns = OrderOf(world.bids, world.sharing);
    EXPECT_EQ(turns, OrderOf(world.bids, world.sharing));
    std::vector<size_t> served(world.bids.size());
    std::map<std::string, Precedence> last;
    for (const Turn& turn : turns) {
      const Bid& bid = world.bids[turn.bid];
      EXPECT_EQ(turn.first, served[turn.bid]);
      EXPECT_TRUE(bid.divisible || turn.count == bid.count);
      served[turn.bid] += turn.count;
      const auto [found, first] = last.try_emplace(bid.role, bid.precedence);
      EXPECT_LE(found->second, bid.precedence);
      found->second = bid.precedence;
    }
    for (size_t i = 0; i < served.size(); ++i) EXPECT_EQ(served[i], world.bids[i].count);
  }
}

// Whoever waits is served before a competitor of its role has taken more than its part.
TEST(OrderProperty, RolesOfEqualWeightAndDemandHaveEqualPartsAllTheTime) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Random random(seed);
    World world;
    const std::vector<std::string> roles = {"a", "b", "c", "d"};
    for (int i = 0; i < 200; ++i) {
      for (const auto& role : roles) {
        world.Ask(role, {static_cast<int64_t>(1 + random.Below(1000)), 0, 0, 0});
      }
    }
    std::map<std::string, int64_t> had;
    size_t left = world.bids.size();
    for (const Turn& turn : OrderOf(world.bids, world.sharing)) {
      had[world.bids[turn.bid].role] += world.bids[turn.bid].each[0];
      // Near the end a role has nothing to ask for any more.
      if (--left < 200 || had.size() < roles.size()) continue;
      int64_t most = 0, least = kUnlimited;
      for (const auto& [role, cpus] : had) {
        most = std::max(most, cpus);
        least = std::min(least, cpus);
      }
      EXPECT_LE(most - least, 1000);
    }
  }
}

TEST(OrderProperty, AHundredThousandJobsOfAThousandRolesAreAllServed) {
  Random random(1);
  World world;
  for (int i = 0; i < 1000; ++i) {
    const std::string name = "r" + std::to_string(i % 30) + "/s" + std::to_string(i);
    world.settings.roles.push_back({.name = name, .weight = 1 + random.Unit()});
  }
  for (int i = 0; i < 100'000; ++i) {
    world.bids.push_back({.role = world.settings.roles[random.Below(1000)].name,
                          .precedence = {static_cast<int64_t>(random.Below(1'000'000)), 0},
                          .each = {static_cast<int64_t>(random.Below(3000)), 0, 0, 0}});
  }
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(OrderOf(world.bids, world.sharing).size(), world.bids.size());
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  RecordProperty("milliseconds", static_cast<int>(took.count() * 1000));
}

}  // namespace
}  // namespace kiln::scheduler
