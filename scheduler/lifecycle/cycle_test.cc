#include "scheduler/lifecycle/cycle.h"

#include <gmock/gmock.h>

namespace kiln::scheduler {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Job JobOf(const std::string& name, int64_t cpus_milli) {
  return {.name = name,
          .role = "*",
          .groups = {{.name = "g",
                      .cpus_milli = cpus_milli,
                      .mem = MiB(64),
                      .work = CommandWork{.shell = "true"}}}};
}

// A scheduler without Mesos: agents offer a cpu each.
class CycleTest : public testing::Test {
 protected:
  explicit CycleTest(Settings settings = {}) : life_({}, std::move(settings), 1) {
    life_.Subscribed("f", now_);
    life_.TakeEffects();
  }
  void Submit(const Job& job) { ASSERT_TRUE(life_.Submit(job, 1, now_)); }
  void OfferFrom(size_t first, size_t count) {
    for (size_t i = first; i < first + count; ++i) Offer(fmt::format("a{}", i), 1000);
  }
  void Offer(const std::string& agent, int64_t cpus_milli) {
    book_.Add({.id = {fmt::format("o{}", ++offers_)},
               .agent = {.id = {agent}, .hostname = agent},
               .role = "*",
               .resources = {.cpus_milli = cpus_milli, .mem = GiB(1)},
               .received = now_});
  }
  Cycle::Outcome Run() { return cycle_.Run(life_, true, now_); }
  std::vector<std::string> Why(const std::string& job) {
    std::vector<std::string> reasons;
    for (const Refusal& refusal : cycle_.Why(life_, job, now_)) reasons.push_back(refusal.reason);
    return reasons;
  }

  Plan Try(Job job) {
    DryRun run(std::move(job));
    while (!cycle_.GoOn(run, life_, now_)) {
    }
    return run.Take();
  }

  int offers_ = 0;
  Instant now_{1'000'000'000};
  Lifecycle life_;
  OfferBook book_{{}, {"*"}};
  Cycle cycle_{kFill, book_};
};

TEST_F(CycleTest, WhatFitsAnOfferStarts) {
  Submit(JobOf("j", 1000));
  OfferFrom(0, 1);
  EXPECT_EQ(Run().effects.starts.size(), 1U);
  EXPECT_THAT(Why("j"), IsEmpty());
}

TEST_F(CycleTest, RevocableWorkTakesWhatIsLentAndHoldsNothing) {
  book_.Add({.id = {"o"},
             .agent = {.id = {"a"}, .hostname = "a"},
             .role = "*",
             .resources = {.cpus_milli = 1000, .revocable_cpus_milli = 2500, .mem = GiB(4)},
             .received = now_});
  Job job = JobOf("lent", 1000);
  job.groups[0].revocable = true;
  job.groups[0].count = 2;
  job.groups[0].work = TrainWork{.model = "m"};
  Submit(job);
  Job gang = JobOf("trio", 500);
  gang.groups[0].revocable = true;
  gang.groups[0].count = gang.gang_members = 3;
  Submit(gang);
  const Cycle::Outcome outcome = Run();
  ASSERT_EQ(outcome.effects.starts.size(), 2U);
  EXPECT_TRUE(outcome.effects.starts[0].new_executor);
  EXPECT_EQ(life_.state().tasks.at(outcome.effects.starts[1].task).resources,
            (Resources{.revocable_cpus_milli = 1000, .mem = MiB(64)}));
  // The executor is of the same kind.
  EXPECT_EQ(book_.KnownOf({"a"}, "*")->resources,
            (Resources{.cpus_milli = 1000, .revocable_cpus_milli = 400, .mem = GiB(4) - MiB(192)}));
  EXPECT_THAT(Why("trio"), ElementsAre("needs 0.5 revocable cpus: 1 agent offered, the most free "
                                       "is 0.4 on a"));
}

TEST_F(CycleTest, OnASmallClusterReasonsAreOfThisCycle) {
  OfferFrom(0, 2);
  Run();
  Submit(JobOf("large", 5000));
  Run();
  EXPECT_THAT(Why("large"),
              ElementsAre("needs 5 cpus: 2 agents offered, the most free is 1 on a0"));
  EXPECT_EQ(cycle_.Next(now_), std::nullopt);
}

TEST_F(CycleTest, OnALargeClusterReasonsAreJudgedFromTimeToTime) {
  OfferFrom(0, kSmallCluster + 1);
  Submit(JobOf("first", 5000));
  Run();
  const std::string judged =
      fmt::format("needs 5 cpus: {} agents offered, the most free is 1 on a0", kSmallCluster + 1);
  EXPECT_THAT(Why("first"), ElementsAre(judged));

  now_ = now_ + std::chrono::milliseconds(1);
  Submit(JobOf("second", 5000));
  Run();
  EXPECT_THAT(Why("first"), ElementsAre(judged));
  EXPECT_THAT(Why("second"), ElementsAre("waits to be judged, within a second"));
  ASSERT_TRUE(life_.Kill("first", now_));
  EXPECT_THAT(Why("first"), IsEmpty()) << "what does not wait has no reason";

  ASSERT_TRUE(cycle_.Next(now_));
  now_ = *cycle_.Next(now_);
  Run();
  EXPECT_THAT(Why("second"), ElementsAre(judged));
  EXPECT_EQ(cycle_.Next(now_), std::nullopt);
}

TEST_F(CycleTest, OnALargeClusterReasonsAreJudgedForWhoAsks) {
  OfferFrom(0, kSmallCluster + 1);
  Submit(JobOf("large", 5000));
  Run();
  Run();
  EXPECT_EQ(cycle_.Next(now_), now_ + kJudgedAge) << "nothing new waits, and nobody asks";
  Offer("larger", 2000);
  Run();
  const auto judged = [](size_t agents, const char* most) {
    return fmt::format("needs 5 cpus: {} agents offered, the most free is {}", agents, most);
  };
  EXPECT_THAT(Why("large"), ElementsAre(judged(kSmallCluster + 1, "1 on a0")));
  now_ = now_ + kReasonsAge;
  EXPECT_THAT(Why("large"), ElementsAre(judged(kSmallCluster + 2, "2 on larger")));
}

TEST_F(CycleTest, OnAVeryLargeClusterReasonsAreJudgedAPartInEachCycle) {
  constexpr size_t kAgents = 20'000;
  OfferFrom(0, kAgents);
  Job ended = JobOf("ended", 5000);
  Submit(ended);
  std::vector<std::string> jobs;
  for (const int cpus : {2, 3, 4}) {
    jobs.push_back(fmt::format("large-{}", cpus));
    Submit(JobOf(jobs.back(), 1000 * cpus));
  }
  size_t cycles = 0;
  while (Run(), cycle_.Next(now_) == now_) {
    ++cycles;
    EXPECT_THAT(Why("large-2"), ElementsAre("waits to be judged, within a second"));
    if (cycles != 8) continue;
    // Nothing of it is left, though it is being judged.
    ASSERT_TRUE(life_.Kill("ended", now_));
    ended.groups[0].cpus_milli = 1;
    ASSERT_TRUE(life_.Submit(ended, 2, now_));
    ASSERT_TRUE(life_.Kill("ended", now_));
  }
  EXPECT_GT(cycles, 8U);
  for (const int cpus : {2, 3, 4}) {
    EXPECT_THAT(Why(fmt::format("large-{}", cpus)),
                ElementsAre(fmt::format(
                    "needs {} cpus: {} agents offered, the most free is 1 on a0", cpus, kAgents)));
  }
  EXPECT_THAT(Why("ended"), IsEmpty());
  EXPECT_EQ(cycle_.Next(now_), now_ + kReasonsAge) << "something has happened since it began";
  now_ = now_ + kReasonsAge;
  Run();
  EXPECT_EQ(cycle_.Next(now_), now_ + (kJudgedAge - kReasonsAge)) << "but no job has come";
  now_ = *cycle_.Next(now_);
  while (Run(), cycle_.Next(now_) == now_) {
  }
  EXPECT_EQ(cycle_.Next(now_), std::nullopt);
}

TEST_F(CycleTest, AJudgementLeavesMostCyclesToThoseThatStartSomething) {
  OfferFrom(0, 20'000);
  Submit(JobOf("large", 5000));
  Run();
  int cycles = 0;
  for (; cycle_.Next(now_) == now_; ++cycles) {
    Submit(JobOf(fmt::format("small-{}", cycles), 1000));
    OfferFrom(0, 1);
    EXPECT_EQ(Run().effects.starts.size(), 1U);
  }
  EXPECT_GE(cycles, 4 * kBusyCycles);
  EXPECT_EQ(cycles % kBusyCycles, 0);
  EXPECT_THAT(Why("large"), ElementsAre(testing::StartsWith("needs 5 cpus: 20000 agents")));
}

TEST_F(CycleTest, WhoAsksOnALargeClusterWakesTheNextCycleOnce) {
  Submit(JobOf("large", 5000));
  OfferFrom(0, kSmallCluster + 1);
  Run();  // the offers are declined, and the agents are known
  Run();
  now_ = now_ + kReasonsAge;
  Submit(JobOf("small", 1000));
  EXPECT_THAT(Why("small"), ElementsAre(testing::StartsWith("fits what agent")));
  EXPECT_EQ(cycle_.Next(now_), now_);
  cycle_.Run(life_, false, now_);
  EXPECT_NE(cycle_.Next(now_), now_) << "there is nobody to ask for offers";
}

TEST_F(CycleTest, WhatWouldFitElsewhereIsAskedForAgain) {
  OfferFrom(0, 1);
  Submit(JobOf("large", 5000));
  Run();  // the offer is declined, and the agent is known
  ASSERT_TRUE(life_.Kill("large", now_));
  now_ = now_ + std::chrono::seconds(1);
  Submit(JobOf("small", 1000));
  EXPECT_THAT(Run().calls.revive, ElementsAre("*"));
  EXPECT_THAT(Why("small"),
              ElementsAre("fits what agent a0 had free when it last offered: waits for its next "
                          "offer"));
}

TEST_F(CycleTest, ADryRunStandsInItsPlaceAmongWhatWaits) {
  OfferFrom(0, 1);
  Submit(JobOf("first", 1000));
  struct Case {
    const char* name;
    int priority;
    const char* plan;  // of the job alone, whatever becomes of the others
  };
  for (const Case& c : {Case{"next", 50, "next waits"},
                        {"urgent", 90, "urgent on a0"},
                        {"first", 50, "first on a0"}}) {
    Job job = JobOf(c.name, 1000);
    job.priority = c.priority;
    const Plan plan = Try(job);
    std::vector<std::string> lines;
    for (const Launch& one : plan.launches) {
      lines.push_back(one.member.job + " on " + one.agent.text);
    }
    for (const Refusal& one : plan.refusals) lines.push_back(one.job + " waits");
    EXPECT_THAT(lines, ElementsAre(c.plan));
  }
}

TEST_F(CycleTest, ADryRunTellsOfAStartBehindTheQueueOrThatItDidNotLookAtIt) {
  constexpr Duration kHour = std::chrono::hours(1);
  const auto hourly = [&](const std::string& name, int count) {
    Job job = JobOf(name, 1000);
    job.groups[0].count = count;
    job.groups[0].max_completion = kHour;
    job.groups[0].kill_grace = {};
    return job;
  };
  const auto estimate = [&] {
    const Plan plan = Try(hourly("new", 1));
    return plan.refusals.size() == 1 ? plan.refusals[0].estimate : Estimate{};
  };
  OfferFrom(0, 1);
  Submit(hourly("runs", 1));
  Submit(hourly("waits", 1));
  ASSERT_EQ(Run().effects.starts.size(), 1U);
  const char* words = "at the latest, by the max_completion of what runs";
  EXPECT_EQ(estimate(), (Estimate{now_ + 2 * kHour, words}));

  const int more = static_cast<int>(kSmallCluster);
  OfferFrom(1, kSmallCluster);
  Submit(hourly("more", more - 1));  // beside the one that waits
  ASSERT_EQ(Run().effects.starts.size(), kSmallCluster);
  Submit(hourly("late", 1));
  EXPECT_EQ(estimate(),
            (Estimate{now_ + kHour, std::string(words) + ", if nothing that waits goes first"}));
}

TEST_F(CycleTest, ADryRunOnAVeryLargeClusterGoesAPartAtATime) {
  constexpr size_t kAgents = 20'000;
  OfferFrom(0, kAgents);
  DryRun run(JobOf("large", 5000));
  EXPECT_FALSE(cycle_.GoOn(run, life_, now_));
  run.Restart();
  int parts = 1;
  for (; !cycle_.GoOn(run, life_, now_); ++parts) OfferFrom(0, 1);  // what happens between them
  EXPECT_GE(parts, 4);
  const Plan plan = run.Take();
  ASSERT_EQ(plan.refusals.size(), 1U);
  EXPECT_EQ(plan.refusals[0].reason,
            fmt::format("needs 5 cpus: {} agents offered, the most free is 1 on a0", kAgents));
  EXPECT_EQ(Try(JobOf("small", 1000)).launches.size(), 1U);
}

class MovesTest : public CycleTest {
 protected:
  MovesTest() : CycleTest({.preemption = {.move = true}}) {}
  std::vector<std::string> Started(const Cycle::Outcome& outcome) {
    std::vector<std::string> started;
    for (const LaunchCall& start : outcome.effects.starts) {
      const Task& task = life_.state().tasks.at(start.task);
      started.push_back(task.member.job + " on " + task.agent.text);
    }
    return started;
  }
  // "small" stands where "large" would fit.
  StatusUpdate SmallStandsInTheWay() {
    Submit(JobOf("small", 1000));
    Offer("a", 4000);
    StatusUpdate update{.task = Run().effects.starts.at(0).task,
                        .agent = {"a"},
                        .state = TaskState::kRunning,
                        .by_executor = true,
                        .checkpoints = 1};
    life_.Update(update, now_);
    Offer("a", 3000);
    Offer("b", 1000);
    Submit(JobOf("large", 4000));
    return update;
  }
};

TEST_F(MovesTest, WithoutAMasterNobodyLooksForVictims) {
  StatusUpdate update = SmallStandsInTheWay();
  Run();
  now_ = now_ + std::chrono::minutes(10);
  update.checkpoints = 2;
  life_.Update(update, now_);
  Run();
  ASSERT_TRUE(cycle_.Next(now_)) << "the next victim";
  now_ = now_ + std::chrono::minutes(10);
  cycle_.Run(life_, false, now_);
  EXPECT_GT(cycle_.Next(now_).value_or(now_ + kReasonsAge), now_);
}

// All the way: "small" goes where nobody else may.
TEST_F(MovesTest, WhoMovesStartsWhereItsPlaceIsKept) {
  StatusUpdate update = SmallStandsInTheWay();
  EXPECT_EQ(Run().evicted, 0U) << "it has not waited";
  now_ = now_ + std::chrono::minutes(10);
  update.checkpoints = 2;
  life_.Update(update, now_);
  Cycle::Outcome moved = Run();
  EXPECT_EQ(moved.evicted, 1U);
  EXPECT_THAT(moved.effects.kills, ElementsAre(KillCall{update.task, {"a"}}));
  EXPECT_THAT(Why("large"), ElementsAre("waits for tasks on agent a that move for it"));

  Job urgent = JobOf("urgent", 1000);
  urgent.priority = 100;
  Submit(urgent);
  Offer("b", 1000);
  EXPECT_THAT(Started(Run()), IsEmpty());
  update.state = TaskState::kKilled;
  life_.Update(update, now_);
  EXPECT_THAT(Started(Run()), ElementsAre("small on b"));
  Offer("a", 4000);
  EXPECT_THAT(Started(Run()), ElementsAre("large on a"));
  EXPECT_THAT(life_.Claims(), IsEmpty());
}

}  // namespace
}  // namespace kiln::scheduler
