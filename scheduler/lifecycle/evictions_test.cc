// Tasks that end for others, from the decision to the end, through deaths of the scheduler.
#include <gmock/gmock.h>

#include "scheduler/lifecycle/harness_for_test.h"

namespace kiln::scheduler {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

// Two members of "low" run, and "high" waits.
class Evictions : public testing::Test {
 protected:
  Evictions() {
    Job low = CommandJob("low", 2);
    low.priority = 10;
    low.retries = 0;
    low.groups[0].kill_grace = seconds(20);
    harness_.Submit(low);
    tasks_ = harness_.PlaceAll("a1");
    for (const TaskId& task : tasks_) harness_.Tell(task, TaskState::kRunning);
    harness_.Advance(minutes(5));
    Job high = CommandJob("high", 1);
    high.priority = 90;
    harness_.Submit(high);
    harness_.Take();
  }

  Effects Evict() {
    harness_.life().Evict({"high", 1, {tasks_[1]}, {{"a1"}}}, harness_.now());
    return harness_.Take();
  }
  const JobRecord& Record(const std::string& job) { return harness_.life().state().jobs.at(job); }
  std::vector<int> Waiting(const std::string& name) {
    std::vector<int> members;
    for (const WaitingJob& job : harness_.life().See(harness_.now()).jobs) {
      if (job.job->name != name) continue;
      for (const WaitingGroup& group : job.groups) {
        members.insert(members.end(), group.members.begin(), group.members.end());
      }
    }
    return members;
  }

  Harness harness_;
  std::vector<TaskId> tasks_;
};

TEST_F(Evictions, VictimsAreKilledAndEverybodyIsTold) {
  const Effects effects = Evict();
  EXPECT_THAT(effects.kills, ElementsAre(KillCall{tasks_[1], {"a1"}}));
  EXPECT_EQ(effects.tasks, (std::set<TaskId>{tasks_[1]}));
  EXPECT_EQ(effects.jobs, (std::set<std::string>{"high"}));
  EXPECT_THAT(
      effects.notices,
      ElementsAre(
          Notice{"task", tasks_[1].text, "TASK_RUNNING", "preempted by job high of priority 90"},
          Notice{"job", "low", "RUNNING", "1 task preempted by job high of priority 90"},
          Notice{"job", "high", "WAITING", "preempts 1 task of job low"}));
  // The last grace, and a minute to start in.
  EXPECT_EQ(Record("high").claim, (Claim{"high",
                                         1,
                                         {{"a1"}},
                                         harness_.now() + seconds(20) + minutes(1),
                                         "waits for tasks on agent a1 that end for it"}));
  EXPECT_FALSE(harness_.life().MayEvictAgain("high", harness_.now()));
}

TEST_F(Evictions, WhoMovesIsToldAndKeptAPlace) {
  harness_.life().Evict({"high", 1, {tasks_[1]}, {{"a1"}}, {{{"low", "g", 1}, {"a2"}}}},
                        harness_.now());
  const std::string words = "preempted by job high, which fits when this has moved";
  EXPECT_THAT(harness_.Take().notices,
              ElementsAre(Notice{"task", tasks_[1].text, "TASK_RUNNING", words},
                          Notice{"job", "low", "RUNNING", "1 task " + words},
                          Notice{"job", "high", "WAITING", "moves 1 task of job low"}));
  const Instant until = harness_.now() + seconds(20) + minutes(1);
  const std::vector<Claim> claims = {
      {"high", 1, {{"a1"}}, until, "waits for tasks on agent a1 that move for it"},
      {"low", 1, {{"a2"}}, until, "moves, for job high: its place is kept on agent a2"}};
  EXPECT_EQ(harness_.life().Claims(), claims);
  harness_.Restart();
  EXPECT_EQ(harness_.life().Claims(), claims);
  harness_.Connect();
  harness_.Tell(tasks_[0], TaskState::kRunning, "RECONCILIATION");
  harness_.Tell(tasks_[1], TaskState::kKilled);
  EXPECT_EQ(harness_.life().EvictionWords("low", "g"), words);
  harness_.PlaceAll("a2");
  EXPECT_THAT(harness_.life().Claims(), IsEmpty());
}

TEST_F(Evictions, TheAttemptIsNotChargedAndTheMemberWaitsAgain) {
  Evict();
  harness_.Tell(tasks_[1], TaskState::kKilling);
  EXPECT_EQ(harness_.TaskAt(tasks_[1]).message, "preempted by job high of priority 90");
  harness_.Tell(tasks_[1], TaskState::kFailed, "", "Command exited with 143");
  const Task& task = harness_.TaskAt(tasks_[1]);
  EXPECT_EQ(task.charge, Charge::kNone);
  EXPECT_EQ(task.message, "preempted by job high of priority 90: Command exited with 143");
  EXPECT_EQ(harness_.Phase("low"), JobPhase::kRunning);
  EXPECT_THAT(Waiting("low"), ElementsAre(1));
  EXPECT_EQ(harness_.life().EvictionWords("low", "g"), "preempted by job high of priority 90");
  EXPECT_EQ(harness_.life().EvictionWords("high", "g"), "");
}

TEST_F(Evictions, TheNextAttemptKnowsOfIt) {
  Evict();
  harness_.Tell(tasks_[1], TaskState::kKilled);
  const std::vector<TaskId> next = harness_.PlaceAll("a1");
  ASSERT_EQ(next.size(), 2U);  // high first
  EXPECT_EQ(harness_.TaskAt(next[1]).evictions, 1);
  EXPECT_EQ(harness_.TaskAt(next[1]).failures, 0);
  EXPECT_EQ(harness_.life().EvictionWords("low", "g"), "");
  EXPECT_EQ(Record("high").claim, std::nullopt);
}

TEST(EvictionsOfGangs, TheGangStartsAgainAsAWhole) {
  Harness harness;
  Job gang = CommandJob("gang", 3);
  gang.gang_members = 3;
  harness.Submit(gang);
  const std::vector<TaskId> tasks = harness.PlaceAll("a1");
  for (const TaskId& task : tasks) harness.Tell(task, TaskState::kRunning);
  Job high = CommandJob("high", 1);
  high.priority = 90;
  harness.Submit(high);
  harness.life().Evict({"high", 1, tasks, {{"a1"}}}, harness.now());
  harness.Tell(tasks[0], TaskState::kKilled);
  EXPECT_EQ(harness.Why("gang").reason, "needs 3 members together, 1 may start at this moment");
  harness.Tell(tasks[1], TaskState::kKilled);
  harness.Tell(tasks[2], TaskState::kKilled);
  for (const WaitingJob& job : harness.life().See(harness.now()).jobs) {
    if (job.job->name == "gang") EXPECT_EQ(job.gang_needed, 3);
  }
}

TEST_F(Evictions, WhoFinishesInItsGraceHasFinished) {
  Evict();
  harness_.Tell(tasks_[1], TaskState::kFinished, "", "done");
  EXPECT_EQ(harness_.TaskAt(tasks_[1]).message, "done");
  EXPECT_THAT(Waiting("low"), IsEmpty());
}

TEST_F(Evictions, ClaimAndKillSurviveADeathOfTheScheduler) {
  Evict();
  const std::optional<Claim> claim = Record("high").claim;
  harness_.Restart();
  EXPECT_THAT(harness_.life().Claims(), ElementsAre(*claim));
  EXPECT_FALSE(harness_.life().MayEvictAgain("high", harness_.now()));
  harness_.Connect();
  for (const TaskId& task : tasks_) harness_.Tell(task, TaskState::kRunning, "RECONCILIATION");
  harness_.Advance(seconds(1));
  // Again and again until it ends, and nobody else.
  EXPECT_THAT(harness_.Take().kills, testing::Each(KillCall{tasks_[1], {"a1"}}));
  harness_.Tell(tasks_[1], TaskState::kKilled);
  EXPECT_THAT(Waiting("low"), ElementsAre(1));
  EXPECT_EQ(harness_.life().EvictionWords("low", "g"), "preempted by job high of priority 90");
}

TEST_F(Evictions, AClaimEndsInTime) {
  Evict();
  EXPECT_EQ(harness_.life().NextTick(harness_.now()) <= Record("high").claim->until, true);
  harness_.Advance(seconds(79));
  EXPECT_TRUE(Record("high").claim);
  harness_.Advance(seconds(1));
  EXPECT_FALSE(Record("high").claim);
  EXPECT_TRUE(harness_.Take().jobs.contains("high"));
}

TEST_F(Evictions, AClaimEndsWithItsJob) {
  Evict();
  ASSERT_TRUE(harness_.life().Kill("high", harness_.now()));
  EXPECT_THAT(harness_.life().Claims(), IsEmpty());
}

TEST_F(Evictions, AJobEvictsOnlySoOften) {
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(harness_.life().MayEvictAgain("high", harness_.now()));
    Evict();
    harness_.Advance(minutes(2));
  }
  EXPECT_FALSE(harness_.life().MayEvictAgain("high", harness_.now()));
  harness_.Restart();
  EXPECT_FALSE(harness_.life().MayEvictAgain("high", harness_.now()));
  harness_.Advance(minutes(5));
  EXPECT_TRUE(harness_.life().MayEvictAgain("high", harness_.now()));
}

TEST_F(Evictions, AVictimThatIsCutOffIsGivenUp) {
  Evict();
  harness_.Tell(tasks_[1], TaskState::kUnreachable);
  EXPECT_THAT(Waiting("low"), IsEmpty());
  harness_.Advance(minutes(1));
  harness_.Advance(seconds(2));
  EXPECT_THAT(Waiting("low"), ElementsAre(1));
  const Sharing sharing = harness_.life().SharingAt(harness_.now(), {});
  EXPECT_EQ(sharing.use.at("*").used, (Amounts{}));  // the launches of the harness hold nothing
}

TEST_F(Evictions, CheckpointsAreCountedOnce) {
  StatusUpdate update{.task = tasks_[0],
                      .agent = {"a1"},
                      .state = TaskState::kRunning,
                      .by_executor = true,
                      .checkpoints = 1};
  harness_.life().Update(update, harness_.now());
  const Instant first = harness_.now();
  EXPECT_EQ(harness_.TaskAt(tasks_[0]).checkpointed, first);
  harness_.Advance(minutes(1));
  harness_.life().Update(update, harness_.now());  // comes twice
  EXPECT_EQ(harness_.TaskAt(tasks_[0]).checkpointed, first);
  update.checkpoints = 2;
  harness_.life().Update(update, harness_.now());
  EXPECT_EQ(harness_.TaskAt(tasks_[0]).checkpointed, harness_.now());
}

}  // namespace
}  // namespace kiln::scheduler
