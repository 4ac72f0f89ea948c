#include "scheduler/placement/moves.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "scheduler/placement/cluster_for_test.h"

namespace kiln::scheduler {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

// "large" fits on agent a when "small" goes to b, which "other" nearly fills.
class Scattered : public Cluster {
 public:
  Scattered() : small(AddJob("small", 50, 1, 1)), large(AddJob("large", 50, 4, 1)) {
    settings().move = true;
    AddAgent("a", 4);
    AddAgent("b", 4);
    Start(AddJob("other", 50, 3, 1), 0, "b");
    Start(small, 0, "a");
    LastTask().checkpointed = kNow - minutes(1);
  }

  Job& small;
  Job& large;
};

TEST(Moves, BothPlacesAreInThePlan) {
  Scattered cluster;
  EXPECT_EQ(cluster.Find(cluster.large),
            (Eviction{"large", 1, {{"small.0"}}, {{"a"}}, {{{"small", "g", 0}, {"b"}}}}));
}

TEST(Moves, NobodyMovesWhoMayNotOrForTooLittle) {
  struct Case {
    const char* why;
    std::function<void(Task&, Scattered&)> change;
  };
  const Job first{.name = "first",
                  .role = "*",
                  .groups = {{.name = "g", .mem = GiB(1), .work = CommandWork{.shell = "true"}}}};
  const Case cases[] = {
      {"off", [](Task&, Scattered& c) { c.settings().move = false; }},
      {"no checkpoint", [](Task& task, Scattered&) { task.checkpointed = {}; }},
      {"a higher priority", [](Task&, Scattered& c) { c.small.priority = 60; }},
      {"not preemptible", [](Task&, Scattered& c) { c.small.preemptible = false; }},
      {"it serves", [](Task&, Scattered& c) { c.small.kind = JobKind::kServing; }},
      {"just started", [](Task& task, Scattered&) { task.started = kNow - seconds(30); }},
      {"moved before",
       [](Task& task, Scattered&) {
         task.started = kNow - minutes(7);
         task.evictions = 3;
       }},
      {"it ends anyway", [](Task&, Scattered& c) { c.KillLast(); }},
      {"its agent is cut off",
       [](Task& task, Scattered&) { task.state = TaskState::kUnreachable; }},
      {"its job has a claim",
       [](Task&, Scattered& c) {
         c.snapshot().claims = {{"small", 1, {{"x"}}, {}}};
       }},
      {"the other agent is kept for others",
       [](Task&, Scattered& c) {
         c.snapshot().claims = {{"x", 1, {{"b"}}, {}}};
       }},
      {"the other agent is suspect", [](Task&, Scattered& c) { c.snapshot().bars[{"b"}] = {}; }},
      {"another goes first there",
       [&first](Task&, Scattered& c) { c.snapshot().jobs = {c.Waiting(first)}; }},
      {"to wait costs less than its work since the checkpoint",
       [](Task& task, Scattered&) { task.checkpointed = kNow - hours(1); }},
      {"the other starts soon", [](Task&, Scattered& c) { c.expected() = kNow + seconds(20); }},
  };
  for (const Case& one : cases) {
    Scattered cluster;
    EXPECT_THAT(cluster.Victims(cluster.large), ElementsAre("small.0")) << one.why;
    one.change(cluster.LastTask(), cluster);
    EXPECT_THAT(cluster.Victims(cluster.large), IsEmpty()) << one.why;
  }
}

TEST(Moves, AStartThatIsFarOffIsWorthAMove) {
  Scattered cluster;
  cluster.LastTask().checkpointed = kNow - hours(1);
  cluster.expected() = kNow + hours(1);
  EXPECT_THAT(cluster.Victims(cluster.large), ElementsAre("small.0"));
}

TEST(Moves, WhoIsLowerMovesRatherThanIsEvicted) {
  Scattered cluster;
  cluster.small.priority = 10;
  EXPECT_FALSE(cluster.Find(cluster.large)->moves.empty());
  cluster.settings().move = false;
  EXPECT_EQ(cluster.Find(cluster.large), (Eviction{"large", 1, {{"small.0"}}, {{"a"}}}));
}

TEST(Moves, AGangMovesAsAWhole) {
  for (const int64_t room : {1, 2}) {
    Cluster cluster;
    cluster.settings().move = true;
    for (const char* name : {"a", "b"}) cluster.AddAgent(name, 4);
    cluster.AddAgent("c", room);
    const Job& gang = cluster.AddJob("gang", 50, 1, 2, 2);
    for (int i = 0; i < 2; ++i) {
      cluster.Start(gang, i, i == 0 ? "a" : "b");
      cluster.LastTask().checkpointed = kNow - minutes(1);
    }
    cluster.Start(cluster.AddJob("other", 50, 3, 1), 0, "b");
    const auto eviction = cluster.Find(cluster.AddJob("large", 50, 4, 1));
    EXPECT_EQ(eviction.has_value(), room == 2);
    if (!eviction) continue;
    const Eviction expected{"large",
                            1,
                            {{"gang.0"}, {"gang.1"}},
                            {{"a"}},
                            {{{"gang", "g", 0}, {"c"}}, {{"gang", "g", 1}, {"c"}}}};
    EXPECT_EQ(*eviction, expected);
  }
}

TEST(Moves, AllAreKeptAPlace) {
  const Eviction eviction{"large",
                          2,
                          {{"x.0"}, {"x.1"}, {"y.0"}},
                          {{"a"}, {"b"}},
                          {{{"x", "g", 0}, {"c"}}, {{"x", "g", 1}, {"d"}}, {{"y", "g", 0}, {"d"}}}};
  const std::string why = "moves, for job large: its place is kept on 2 agents";
  EXPECT_THAT(
      ClaimsOf(eviction, kNow),
      ElementsAre(
          Claim{"large", 2, {{"a"}, {"b"}}, kNow, "waits for tasks on 2 agents that move for it"},
          Claim{"x", 2, {{"c"}, {"d"}}, kNow, why}, Claim{"y", 1, {{"c"}, {"d"}}, kNow, why}));
}

// Clusters at random with room that is scattered: whoever moves might, and starts again as those do
// for whom it moved.
TEST(MovesProperty, NobodyMovesUnlessAllThenFit) {
  int moves = 0;
  for (uint64_t seed = 1; seed <= 500; ++seed) {
    Random random(seed);
    const auto below = [&](uint64_t n) { return static_cast<int>(random() % n); };
    Cluster cluster;
    cluster.settings().move = true;
    const int agents = 3 + below(6);
    for (int a = 0; a < agents; ++a) cluster.AddAgent(fmt::format("a{}", a), 8);
    for (int j = 0; j < agents + below(4); ++j) {
      const int count = 1 + below(2);
      const int gang = below(3) == 0 ? count : 0;
      Job& job = cluster.AddJob(fmt::format("j{}", j), 40 + below(15), 1 + below(3), count, gang);
      for (int i = 0; i < count; ++i) {
        const std::string agent = fmt::format("a{}", below(static_cast<uint64_t>(agents)));
        if (!cluster.Start(job, i, agent, minutes(below(100)))) continue;
        if (below(5) > 0) cluster.LastTask().checkpointed = kNow - minutes(below(10));
      }
    }
    const int count = 1 + below(3);
    const Job& large = cluster.AddJob("large", 50, 5 + below(4), count, below(2) == 0 ? 0 : count);
    const auto eviction = cluster.Find(large);
    if (!eviction || eviction->moves.empty()) continue;
    ++moves;
    const size_t all = eviction->members + eviction->moves.size();
    EXPECT_EQ(eviction->moves.size(), eviction->victims.size()) << "seed " << seed;
    EXPECT_GE(cluster.After(*eviction, large).size(), all) << "seed " << seed;
    for (const Task& task : cluster.tasks()) {
      if (!eviction->moves.contains(task.member)) continue;
      EXPECT_GT(task.checkpointed, Instant()) << "seed " << seed;
      EXPECT_GE(kNow - task.started, minutes(1)) << "seed " << seed;
      EXPECT_LE(cluster.JobOf(task).priority, 50) << "seed " << seed;
    }
  }
  EXPECT_GT(moves, 50);
}

}  // namespace
}  // namespace kiln::scheduler
