// Kiln's own code in clusters where everything fails that may fail.
#include "tests/simulation/simulation.h"

#include <gtest/gtest.h>

#include <set>

#include "base/log.h"
#include "tests/simulation/room.h"

namespace kiln::simulation {
namespace {

class SimulationTest : public testing::Test {
 protected:
  // What fails in there is meant to: nothing of it is for the log.
  static void SetUpTestSuite() {
    static const bool started = (StartLog("simulation", static_cast<LogLevel>(3)), true);
    EXPECT_TRUE(started);
  }
};

TEST_F(SimulationTest, WhatMustHoldHolds) {
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    const Outcome outcome = simulation::Run(MakeScenario(seed));
    if (!outcome.violation) continue;
    FAIL() << "kiln-sim --seed " << seed << ": " << outcome.violation->invariant << ": "
           << outcome.violation->text;
  }
}

TEST_F(SimulationTest, TwoRunsOfASeedAreOne) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    const Outcome one = simulation::Run(MakeScenario(seed), {.record = true});
    const Outcome other = simulation::Run(MakeScenario(seed), {.record = true});
    EXPECT_EQ(one.last_random, other.last_random);
    EXPECT_EQ(one.history, other.history);
  }
}

// One agent with 4 cpus, on which "low" has 2 members of 2 cpus, and "high" has one of them
// evicted.
scheduler::State Evicting(int members, bool leaves) {
  const auto job = [](const char* name) {
    return Job{.name = name, .role = "lab", .groups = {{.name = "g", .cpus_milli = 2000}}};
  };
  scheduler::State state;
  state.jobs["low"].job = job("low");
  state.jobs["high"] = {.job = job("high"),
                        .claim = scheduler::Claim{"high", members, {{"a"}}, {}, ""}};
  for (const char* id : {"one", "two"}) {
    Task& task = state.tasks[{id}];
    task.member.job = "low";
    task.agent = {"a"};
    task.resources.cpus_milli = 2000;
  }
  state.tasks[{"one"}].kill_wanted = leaves;
  return state;
}

TEST(LackOfRoom, IsWhatAmountsAndLimitsSay) {
  const std::map<AgentId, Resources> totals = {{{"a"}, {.cpus_milli = 4000, .mem = MiB(1024)}}};
  const auto lack = [&](const scheduler::State& state, int64_t limit) {
    const RoleSettings roles{
        .roles = {{.name = "lab", .limit = {limit, kUnlimited, kUnlimited, kUnlimited}}}};
    return LackOfRoom(state, state.jobs.at("high"), totals, roles);
  };
  EXPECT_EQ(lack(Evicting(1, true), 4000), "");
  EXPECT_EQ(lack(Evicting(1, false), 4000), "room for 0 of 1 members");
  EXPECT_EQ(lack(Evicting(2, true), 4000), "room for 1 of 2 members");
  EXPECT_EQ(lack(Evicting(1, true), 3000), "role lab would use 4 cpus of 3 cpus");
}

TEST(LackOfRoom, IsNotJudgedWhereMesosKnowsBetter) {
  const Resources total{.cpus_milli = 4000, .mem = MiB(1024)};
  const auto taken = [&](int64_t offered) {
    return OffersWhatIsTaken(Evicting(1, true), {"a"}, total, {.cpus_milli = offered});
  };
  int64_t used = 0;
  for (const auto& [id, task] : Evicting(1, true).tasks) used += task.resources.cpus_milli;
  EXPECT_FALSE(taken(4000 - used));
  EXPECT_TRUE(taken(4001 - used));
}

struct Planted {
  Canary canary;
  std::set<std::string> invariants;  // any of these is its sign
  size_t faults;                     // that it takes, at most
};

class CanaryTest : public SimulationTest, public testing::WithParamInterface<Planted> {};

TEST_P(CanaryTest, IsFoundAndItsScenarioShrinks) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    const Scenario scenario = MakeScenario(seed);
    const RunOptions options{.canary = GetParam().canary};
    const Outcome outcome = simulation::Run(scenario, options);
    if (!outcome.violation) continue;
    EXPECT_TRUE(GetParam().invariants.contains(outcome.violation->invariant))
        << outcome.violation->invariant << ": " << outcome.violation->text;
    const Scenario smaller = Shrink(scenario, *outcome.violation, options);
    EXPECT_LE(smaller.faults.size(), GetParam().faults);
    EXPECT_LE(smaller.loads.size(), 2u);
    const Outcome again = simulation::Run(smaller, options);
    ASSERT_TRUE(again.violation);
    EXPECT_EQ(again.violation->invariant, outcome.violation->invariant);
    return;
  }
  FAIL() << "it is not found";
}

INSTANTIATE_TEST_SUITE_P(Each, CanaryTest,
                         testing::Values(Planted{Canary::kLateCommit, {"I1", "I3"}, 1},
                                         Planted{Canary::kLostCommit, {"I12"}, 2},
                                         Planted{Canary::kEarlyAcknowledgement, {"I3"}, 1},
                                         Planted{Canary::kNoFence, {"I12"}, 2}));

}  // namespace
}  // namespace kiln::simulation
