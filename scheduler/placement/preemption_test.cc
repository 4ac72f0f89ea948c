#include "scheduler/placement/preemption.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "scheduler/placement/claims.h"
#include "scheduler/placement/cluster_for_test.h"

namespace kiln::scheduler {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using testing::ElementsAre;
using testing::IsEmpty;

TEST(Preemption, TellsForWhomWhoAndWhere) {
  Cluster cluster;
  cluster.AddAgent("a", 4);
  cluster.AddAgent("b", 4);
  const Job& low = cluster.AddJob("low", 10, 4, 2);
  cluster.Start(low, 0, "a", hours(2));
  cluster.Start(low, 1, "b", hours(1));
  const Job& high = cluster.AddJob("high", 20, 2, 1);
  EXPECT_EQ(cluster.Find(high), (Eviction{"high", 1, {{"low.1"}}, {{"b"}}}));
}

TEST(Preemption, NobodyGoesWhoMayNot) {
  struct Case {
    const char* why;
    std::function<void(Task&, Job&, Cluster&)> change;
  };
  const Case cases[] = {
      {"equal priority", [](Task&, Job& job, Cluster&) { job.priority = 20; }},
      {"not preemptible", [](Task&, Job& job, Cluster&) { job.preemptible = false; }},
      {"just started", [](Task& task, Job&, Cluster&) { task.started = kNow - minutes(1) / 2; }},
      {"evicted before",
       [](Task& task, Job&, Cluster&) {
         task.started = kNow - minutes(7);
         task.evictions = 3;
       }},
      {"it ends anyway", [](Task&, Job&, Cluster& c) { c.KillLast(); }},
      {"its agent is cut off",
       [](Task& task, Job&, Cluster&) { task.state = TaskState::kUnreachable; }},
      {"the last of a service", [](Task&, Job& job, Cluster&) { job.kind = JobKind::kService; }},
      {"not by priority", [](Task&, Job&, Cluster& c) { c.settings().by_priority = false; }},
      {"quarantined",
       [](Task&, Job&, Cluster& c) { c.snapshot().bars[{"a"}] = {.reason = "ill"}; }},
      {"kept for others",
       [](Task&, Job&, Cluster& c) {
         c.snapshot().claims = {{"x", 1, {{"a"}}, {}}};
       }},
  };
  for (const Case& one : cases) {
    Cluster cluster;
    cluster.AddAgent("a", 4);
    Job& low = cluster.AddJob("low", 10, 4, 1);
    const Job& high = cluster.AddJob("high", 20, 2, 1);
    cluster.Start(low, 0, "a");
    EXPECT_THAT(cluster.Victims(high), ElementsAre("low.0")) << one.why;
    // Priorities are counted when a task starts.
    one.change(cluster.LastTask(), low, cluster);
    EXPECT_THAT(cluster.Victims(high), IsEmpty()) << one.why;
  }
}

TEST(Preemption, WhatEndsAnywayIsWaitedFor) {
  Cluster cluster;
  cluster.AddAgent("a", 4);
  cluster.AddAgent("b", 4);
  const Job& low = cluster.AddJob("low", 10, 4, 2);
  cluster.Start(low, 0, "a");
  cluster.Start(low, 1, "b");
  cluster.KillLast();
  EXPECT_THAT(cluster.Victims(cluster.AddJob("one", 20, 4, 1)), IsEmpty());
  const Job& two = cluster.AddJob("two", 20, 4, 2, 2);
  EXPECT_EQ(cluster.Find(two), (Eviction{"two", 2, {{"low.0"}}, {{"a"}, {"b"}}}));
}

TEST(Preemption, OneLargeVictimIsFewerThanManySmallOnes) {
  Cluster cluster;
  cluster.AddAgent("a", 8);
  cluster.AddAgent("b", 8);
  const Job& small = cluster.AddJob("small", 10, 1, 8);
  const Job& large = cluster.AddJob("large", 10, 8, 1);
  for (int i = 0; i < 8; ++i) cluster.Start(small, i, "a");
  cluster.Start(large, 0, "b");
  EXPECT_THAT(cluster.Victims(cluster.AddJob("high", 20, 8, 1)), ElementsAre("large.0"));
  EXPECT_THAT(cluster.Victims(cluster.AddJob("two", 20, 2, 1)), ElementsAre("small.0", "small.1"));
}

TEST(Preemption, AGangBeyondItsNeedEvictsNobody) {
  Cluster cluster;
  cluster.AddAgent("a", 4);
  cluster.Start(cluster.AddJob("low", 10, 4, 1), 0, "a");
  const Job& grows = cluster.AddJob("grows", 20, 4, 2, 1);
  WaitingJob waiting{.job = &grows, .role = "*", .gang_needed = 0};
  waiting.groups = {{.group = &grows.groups[0], .members = MemberRange::First(1), .in_gang = true}};
  EXPECT_THAT(cluster.Victims(grows), ElementsAre("low.0"));
  Running running;
  Limits limits(nullptr);
  Task task{.id = {"low.0"}, .member = {"low", "g", 0}, .agent = {"a"}};
  Job low{.name = "low", .role = "*", .priority = 10};
  running.Start(low, "*", 0, task);
  EXPECT_FALSE(MayEvict(waiting, running, limits, {}));
  waiting.gang_needed = 1;
  EXPECT_TRUE(MayEvict(waiting, running, limits, {}));
  Group lent = grows.groups[0];
  lent.revocable = true;
  waiting.groups[0].group = &lent;
  EXPECT_FALSE(MayEvict(waiting, running, limits, {}));
}

// Services of which two members may go, each a little dearer than the one before. As soon as two
// have gone, the prices of all other agents have risen to those of the next service.
TEST(Preemption, ASearchThatHasAskedForTooManyPricesTakesWhatItHasFound) {
  constexpr int kAgents = 2'000;
  constexpr int kServices = 13;
  Cluster cluster;
  for (int a = 0; a < kAgents; ++a) cluster.AddAgent(fmt::format("a{:04}", a), kServices + 1);
  for (int s = 0; s < kServices; ++s) {
    Job& service = cluster.AddJob(fmt::format("s{}", s), 10, 1, kAgents, kAgents - 2);
    service.kind = JobKind::kService;
    service.groups[0].cpus_milli += 10 * s;
    for (int a = 0; a < kAgents; ++a) {
      ASSERT_TRUE(cluster.Start(service, a, fmt::format("a{:04}", a)));
    }
  }
  // The first price of each agent and 20,000 more are those of eleven services.
  const auto single = cluster.Find(cluster.AddJob("single", 20, 1, 2 * kServices));
  ASSERT_TRUE(single);
  EXPECT_EQ(single->members, 22);
  EXPECT_EQ(single->victims.size(), 22U);
  const auto gang = cluster.Find(cluster.AddJob("gang", 20, 1, 22, 22));
  ASSERT_TRUE(gang);
  EXPECT_EQ(gang->victims, single->victims);
  EXPECT_FALSE(cluster.Find(cluster.AddJob("large", 20, 1, 2 * kServices, 2 * kServices)));
}

// Clusters at random: whoever is evicted might be, and those for whom it is then start. Whoever
// moves has a place, too.
TEST(PreemptionProperty, NoEvictionForNothing) {
  int evictions = 0;
  int moves = 0;
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    Random random(seed);
    const auto below = [&](uint64_t n) { return static_cast<int>(random() % n); };
    Cluster cluster;
    cluster.settings().move = seed % 2 == 0;
    const int agents = 1 + below(12);
    for (int a = 0; a < agents; ++a) cluster.AddAgent(fmt::format("a{}", a), 4 + 4 * below(4));
    for (int j = 0; j < 12; ++j) {
      const int count = 1 + below(5);
      const int gang = below(2) == 0 ? 0 : 1 + below(static_cast<uint64_t>(count));
      Job& job = cluster.AddJob(fmt::format("j{}", j), below(100), 1 + below(6), count, gang);
      job.preemptible = below(5) > 0;
      if (below(5) == 0) job.kind = JobKind::kServing;
      for (int i = 0; i < count; ++i) {
        const std::string agent = fmt::format("a{}", below(static_cast<uint64_t>(agents)));
        if (!cluster.Start(job, i, agent, minutes(below(100)))) continue;
        if (below(3) == 0 || cluster.settings().move)
          cluster.LastTask().checkpointed = kNow - minutes(below(10));
      }
    }
    const int count = 1 + below(4);
    const Job& high = cluster.AddJob("high", 50, 1 + below(8), count, below(2) == 0 ? 0 : count);
    const auto eviction = cluster.Find(high);
    EXPECT_EQ(eviction, cluster.Find(high)) << "seed " << seed;
    if (!eviction) continue;
    const bool move = !eviction->moves.empty();
    ++(move ? moves : evictions);
    if (move) {
      EXPECT_EQ(eviction->moves.size(), eviction->victims.size()) << "seed " << seed;
      EXPECT_GE(cluster.After(*eviction, high).size(), eviction->members + eviction->moves.size())
          << "seed " << seed;
    }
    EXPECT_FALSE(eviction->victims.empty());
    EXPECT_GE(cluster.StartedAfter(*eviction, high), static_cast<size_t>(eviction->members))
        << "seed " << seed;
    std::map<std::string, int> left;  // of gangs and services
    std::map<std::string, int> gone;
    for (const Task& task : cluster.tasks()) {
      const Job& job = cluster.JobOf(task);
      const auto& victims = eviction->victims;
      const bool out = std::binary_search(victims.begin(), victims.end(), task.id);
      ++(out ? gone : left)[job.name];
      if (!out) continue;
      if (move) {
        EXPECT_LE(job.priority, 50) << "seed " << seed;
        EXPECT_GT(task.checkpointed, Instant()) << "seed " << seed;
        EXPECT_TRUE(EndsByItself(job.kind)) << "seed " << seed;
      } else {
        EXPECT_LT(job.priority, 50) << "seed " << seed;
      }
      EXPECT_TRUE(job.preemptible) << "seed " << seed;
      EXPECT_GE(kNow - task.started, minutes(1)) << "seed " << seed;
    }
    for (const auto& [name, number] : gone) {
      const Job& job = cluster.JobOf({.member = {name, "g", 0}});
      const int needed = EndsByItself(job.kind) ? job.gang_members : std::max(job.gang_members, 1);
      const bool whole = EndsByItself(job.kind) && left[name] == 0;
      EXPECT_TRUE(whole || left[name] >= needed) << "seed " << seed << " job " << name;
    }
  }
  EXPECT_GT(evictions, 30);
  EXPECT_GT(moves, 5);
}

}  // namespace
}  // namespace kiln::scheduler
