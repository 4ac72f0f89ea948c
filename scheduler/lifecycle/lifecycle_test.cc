#include "scheduler/lifecycle/lifecycle.h"

#include <gmock/gmock.h>

#include "model/units.h"
#include "scheduler/lifecycle/harness_for_test.h"

namespace kiln::scheduler {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

TEST(Lifecycle, AJobRunsToItsEnd) {
  Harness h;
  h.Submit(CommandJob("j", 2));
  EXPECT_EQ(h.Phase("j"), JobPhase::kWaiting);
  const auto tasks = h.PlaceAll("a1");
  ASSERT_THAT(tasks, SizeIs(2));
  EXPECT_EQ(h.TaskAt(tasks[0]).state, TaskState::kIntended);
  h.Tell(tasks[0], TaskState::kRunning);
  EXPECT_EQ(h.Phase("j"), JobPhase::kRunning);
  h.Tell(tasks[0], TaskState::kFinished);
  h.Tell(tasks[1], TaskState::kFinished);
  EXPECT_EQ(h.Phase("j"), JobPhase::kSucceeded);
  EXPECT_THAT(h.life().See(h.now()).jobs, IsEmpty());
}

TEST(Lifecycle, AJobRunsFromTheEndOfATaskThatToldNothingElse) {
  Harness h;
  h.Submit(TrainingJob("j", 2));
  const auto tasks = h.PlaceAll("a1");
  ASSERT_THAT(tasks, SizeIs(2));
  h.Tell(tasks[0], TaskState::kFinished);
  EXPECT_EQ(h.Phase("j"), JobPhase::kRunning);
}

TEST(Lifecycle, WhatIsSeenOfAJobFollowsTheModelsItNeeds) {
  Harness h;
  Job serve = CommandJob("serve", 1);
  serve.kind = JobKind::kServing;
  serve.groups[0].work = ServeWork{{{.name = "m", .label = "prod"}}};
  ASSERT_TRUE(h.life().Register({.model = "m", .uri = "u", .job = "j"}, h.now()));
  ASSERT_TRUE(h.life().SetLabel("m", "prod", 1));
  h.Submit(serve);
  for (int round = 0; round < 2; ++round) {
    EXPECT_THAT(h.life().See(h.now()).jobs, SizeIs(1));
    EXPECT_THAT(h.life().See(h.now()).blocked, IsEmpty());
    ASSERT_TRUE(h.life().SetLabel("m", "prod", std::nullopt));
    EXPECT_THAT(h.life().See(h.now()).jobs, IsEmpty());
    EXPECT_EQ(h.Why("serve").blocker, Blocker::kNoModel);
    ASSERT_TRUE(h.life().SetLabel("m", "prod", 1));
  }
}

TEST(Lifecycle, ASubmitIsIdempotentByNameAndContent) {
  Harness h;
  h.Submit(TrainingJob("j", 1), 7);
  EXPECT_TRUE(h.life().Submit(TrainingJob("j", 1), 7, h.now()));
  EXPECT_THAT(h.PlaceAll("a1"), SizeIs(1));
  EXPECT_TRUE(h.life().Submit(TrainingJob("j", 1), 7, h.now()));
  EXPECT_THAT(h.PlaceAll("a1"), IsEmpty());

  const Status other = h.life().Submit(TrainingJob("j", 2), 8, h.now());
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, ErrorCode::kConflict);
}

TEST(Lifecycle, TheNameOfAnEndedJobIsFree) {
  Harness h;
  h.Submit(TrainingJob("j", 1), 7);
  h.Tell(h.PlaceAll("a1")[0], TaskState::kFinished);
  ASSERT_EQ(h.Phase("j"), JobPhase::kSucceeded);
  EXPECT_TRUE(h.life().Submit(TrainingJob("j", 1), 7, h.now()));
  EXPECT_EQ(h.Phase("j"), JobPhase::kSucceeded) << "the same submit does not run again";
  h.Submit(TrainingJob("j", 1), 8);
  EXPECT_EQ(h.Phase("j"), JobPhase::kWaiting);
  EXPECT_THAT(h.life().state().tasks, IsEmpty());
}

TEST(Lifecycle, ARoleThatTheFrameworkHasNotIsRefused) {
  Harness h;
  Job job = TrainingJob("j", 1);
  job.role = "other";
  const Status status = h.life().Submit(job, 1, h.now());
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().field, "role");
  EXPECT_EQ(status.error().message, "role is \"other\": expected one of *");
}

TEST(Lifecycle, JobsThatWaitForEachOtherAreRefused) {
  Harness h;
  Job a = TrainingJob("a", 1), b = TrainingJob("b", 1), c = TrainingJob("c", 1);
  b.after = {"a"};
  c.after = {"b"};
  a.after = {"c"};
  h.Submit(b);
  h.Submit(c);
  EXPECT_EQ(h.life().Submit(a, 1, h.now()),
            FailField("after", "job a waits for itself by way of b: expected an order that ends"));
  EXPECT_FALSE(h.life().state().jobs.contains("a"));
  // One that has ended waits for nobody.
  ASSERT_TRUE(h.life().Kill("b", h.now()));
  h.Submit(a);
}

TEST(Lifecycle, AnAgentThatFailsUnlikeJobsIsBarredAndProbed) {
  Harness h;
  for (const char* agent : {"a1", "a2", "a3"}) h.life().AgentSeen({agent});
  for (const char* name : {"x", "y", "z"}) {
    Job job = CommandJob(name, 1);
    job.groups[0].work = CommandWork{.shell = name};
    h.Submit(job);
  }
  const auto tasks = h.PlaceAll("a1");
  for (const TaskId& task : tasks) h.Tell(task, TaskState::kFailed);
  EXPECT_EQ(h.Take().suspicions, (std::set<Suspect>{{{"a1"}, {}}}));
  h.Restart();
  h.Connect();
  h.Advance(std::chrono::seconds(5));
  ASSERT_TRUE(h.life().BarsFor({}).contains({"a1"}));
  EXPECT_FALSE(h.life().BarsFor({}).at({"a1"}).probe);
  h.Advance(minutes(2));
  EXPECT_TRUE(h.life().BarsFor({}).at({"a1"}).probe);
  const TaskId probe = h.PlaceAll("a1")[0];
  EXPECT_FALSE(h.life().BarsFor({}).at({"a1"}).probe);
  h.Tell(probe, TaskState::kRunning);
  EXPECT_LE(h.life().NextTick(h.now()), h.now() + minutes(1));
  h.Advance(minutes(1));
  EXPECT_THAT(h.life().BarsFor({}), IsEmpty());
}

TEST(Lifecycle, AResultIsKeptThoughTheMasterToldOfTheEndBefore) {
  Harness h;
  h.Submit(CommandJob("j", 1));
  const TaskId task = h.PlaceAll("a1")[0];
  h.Tell(task, TaskState::kFinished);
  h.Take();
  h.life().Update({.task = task, .agent = {"a1"}, .state = TaskState::kFinished, .result = "x"},
                  h.now());
  EXPECT_EQ(h.life().state().tasks.at(task).result, "x");
  EXPECT_EQ(h.Take().tasks, std::set<TaskId>{task});
}

TEST(Lifecycle, AMemberThatRestsSaysWhatFailed) {
  Harness h;
  h.Submit(TrainingJob("j", 1));
  h.Tell(h.PlaceAll("a1")[0], TaskState::kFailed, "", "cannot read /x.csv");
  EXPECT_THAT(h.Why("j").reason, testing::EndsWith("s: cannot read /x.csv"));
}

TEST(Lifecycle, AnExecutorThatIsLateIsTheClustersDoingAndWhySaysSo) {
  Harness h;
  Job job = CommandJob("j", 1);
  job.retries = 0;
  h.Submit(job);
  for (int i = 0; i < 2; ++i) {
    const auto tasks = h.PlaceAll("a1");
    ASSERT_THAT(tasks, SizeIs(1));
    h.Tell(tasks[0], TaskState::kFailed, "EXECUTOR_REGISTRATION_TIMEOUT",
           "Executor did not register within 1mins");
  }
  const Duration rest = *h.life().NextTick(h.now()) - h.now();
  EXPECT_EQ(h.Why("j"), (Refusal{"j", "g", 1, Blocker::kBackoff,
                                 fmt::format("1 member rests after a failure, it starts again in "
                                             "{}: Executor did not register within 1mins",
                                             FormatDuration(rest))}));
}

TEST(Lifecycle, TheJobPaysForItsOwnFailuresOnly) {
  struct Case {
    TaskState state;
    const char* reason;
    Charge charge;
  };
  const Case cases[] = {
      {TaskState::kFailed, "", Charge::kJob},
      {TaskState::kFailed, "EXECUTOR_TERMINATED", Charge::kJob},
      {TaskState::kFailed, "CONTAINER_LIMITATION_MEMORY", Charge::kJob},
      {TaskState::kFailed, "MAX_COMPLETION_TIME_REACHED", Charge::kJob},
      {TaskState::kFailed, "CONTAINER_PREEMPTED", Charge::kCluster},
      {TaskState::kGone, "CONTAINER_PREEMPTED", Charge::kCluster},
      {TaskState::kLost, "CONTAINER_PREEMPTED", Charge::kCluster},
      {TaskState::kFailed, "EXECUTOR_REGISTRATION_TIMEOUT", Charge::kCluster},
      {TaskState::kError, "TASK_INVALID", Charge::kJob},
      {TaskState::kDropped, "INVALID_OFFERS", Charge::kCluster},
      {TaskState::kLost, "AGENT_REMOVED", Charge::kCluster},
      {TaskState::kGone, "", Charge::kCluster},
      {TaskState::kGoneByOperator, "AGENT_REMOVED_BY_OPERATOR", Charge::kCluster},
      {TaskState::kUnknown, "RECONCILIATION", Charge::kCluster},
      {TaskState::kKilled, "AGENT_DRAINING", Charge::kCluster},
      {TaskState::kFinished, "", Charge::kNone},
  };
  for (const Case& test : cases) {
    Harness h;
    h.Submit(CommandJob("j", 2));
    const TaskId task = h.PlaceAll("a1")[0];
    h.Tell(task, test.state, test.reason);
    EXPECT_EQ(h.TaskAt(task).charge, test.charge)
        << TaskStateName(test.state) << " " << test.reason;
  }
}

TEST(Lifecycle, RetriesRestLongerEachTimeAndEnd) {
  Harness h;
  Job job = CommandJob("j", 1);
  job.retries = 2;
  h.Submit(job);
  Duration before{0};
  for (int attempt = 0; attempt < 2; ++attempt) {
    const auto tasks = h.PlaceAll("a1");
    ASSERT_THAT(tasks, SizeIs(1));
    EXPECT_EQ(h.TaskAt(tasks[0]).attempt, attempt);
    h.Tell(tasks[0], TaskState::kFailed, "", "exit status 3");
    EXPECT_THAT(h.PlaceAll("a1"), IsEmpty());
    EXPECT_EQ(h.Why("j").blocker, Blocker::kBackoff);
    const Duration rest = *h.life().NextTick(h.now()) - h.now();
    EXPECT_GE(rest, seconds(1) * (1 << attempt) / 2);
    EXPECT_LE(rest, seconds(1) * (1 << attempt));
    EXPECT_GT(rest, before / 2);
    before = rest;
    h.Advance(rest);
  }
  h.Tell(h.PlaceAll("a1")[0], TaskState::kFailed, "", "exit status 3");
  EXPECT_EQ(h.Phase("j"), JobPhase::kFailed);
  EXPECT_EQ(h.life().state().jobs.at("j").message, "g[0] failed 3 of 3 times: exit status 3");
}

TEST(Lifecycle, LossesAreRetriedAtOnceAndForEver) {
  Harness h;
  Job job = CommandJob("j", 1);
  job.retries = 0;
  h.Submit(job);
  for (int i = 0; i < 20; ++i) {
    const auto tasks = h.PlaceAll("a1");
    ASSERT_THAT(tasks, SizeIs(1)) << i;
    h.Tell(tasks[0], TaskState::kLost);
    if (i > 0) h.Advance(minutes(1));
  }
  EXPECT_EQ(h.Phase("j"), JobPhase::kWaiting);
  EXPECT_LE(h.life().state().tasks.size(), h.life().settings().attempts_kept + 1);
}

TEST(Lifecycle, ALaunchOnARescindedOfferIsRepeatedUnderAnotherIdAndNotCharged) {
  for (const TaskState refused : {TaskState::kDropped, TaskState::kLost, TaskState::kError}) {
    Harness h;
    Job job = CommandJob("j", 1);
    job.retries = 0;
    h.Submit(job);
    const TaskId first = h.PlaceAll("a1").at(0);
    h.Tell(first, refused, "INVALID_OFFERS", "Offer o1 is no longer valid");
    const auto again = h.PlaceAll("a1");
    ASSERT_THAT(again, SizeIs(1));
    EXPECT_NE(again[0], first);
    EXPECT_EQ(h.TaskAt(again[0]).failures, 0);
  }
}

TEST(Lifecycle, ServingMembersComeBackForEver) {
  Harness h;
  Job job = CommandJob("j", 1);
  job.kind = JobKind::kService;
  job.retries = 0;
  h.Submit(job);
  for (const TaskState end : {TaskState::kFailed, TaskState::kFinished, TaskState::kFailed}) {
    const auto tasks = h.PlaceAll("a1");
    ASSERT_THAT(tasks, SizeIs(1));
    h.Tell(tasks[0], TaskState::kRunning);
    h.Tell(tasks[0], end);
    h.Advance(minutes(2));
  }
  EXPECT_EQ(h.Phase("j"), JobPhase::kRunning);
}

TEST(Lifecycle, AJobThatFailsTakesItsOtherTasksAlong) {
  Harness h;
  Job job = CommandJob("j", 3);
  job.retries = 0;
  h.Submit(job);
  const auto tasks = h.PlaceAll("a1");
  h.Take();
  h.Tell(tasks[0], TaskState::kFailed);
  EXPECT_EQ(h.Phase("j"), JobPhase::kFailed);
  EXPECT_THAT(h.Take().kills, ElementsAre(KillCall{tasks[1], {"a1"}}, KillCall{tasks[2], {"a1"}}));
  const Status again = h.life().Submit(CommandJob("j", 1), 9, h.now());
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, ErrorCode::kFailedPrecondition);
  h.Tell(tasks[1], TaskState::kKilled);
  h.Tell(tasks[2], TaskState::kKilled);
  EXPECT_TRUE(h.life().Submit(CommandJob("j", 1), 9, h.now()));
}

TEST(Lifecycle, AKillIsRepeatedUntilItIsHeard) {
  Harness h;
  h.Submit(CommandJob("j", 1));
  const TaskId task = h.PlaceAll("a1")[0];
  h.Take();
  ASSERT_TRUE(h.life().Kill("j", h.now()));
  EXPECT_THAT(h.Take().kills, SizeIs(1));
  for (int i = 0; i < 3; ++i) {
    h.Advance(seconds(6));
    EXPECT_THAT(h.Take().kills, ElementsAre(KillCall{task, {"a1"}}));
  }
  EXPECT_EQ(h.Phase("j"), JobPhase::kKilling);
  h.Tell(task, TaskState::kKilled);
  EXPECT_EQ(h.Phase("j"), JobPhase::kKilled);
  h.Advance(seconds(60));
  EXPECT_THAT(h.Take().kills, IsEmpty());
}

TEST(Lifecycle, AKilledTaskIsReplacedWithoutCharge) {
  Harness h;
  h.Submit(CommandJob("j", 1));
  const TaskId task = h.PlaceAll("a1")[0];
  ASSERT_TRUE(h.life().KillTask(task, h.now()));
  h.Tell(task, TaskState::kKilled);
  EXPECT_EQ(h.TaskAt(task).charge, Charge::kNone);
  EXPECT_THAT(h.PlaceAll("a1"), SizeIs(1));
  EXPECT_FALSE(h.life().KillTask(task, h.now()));
  EXPECT_FALSE(h.life().KillTask({"none"}, h.now()));
}

TEST(Lifecycle, ACutOffTaskIsReplacedAfterAWhileAndKilledWhenItComesBack) {
  Harness h;
  const TaskId old = h.Start(CommandJob("j", 1), "a1");
  h.Tell(old, TaskState::kUnreachable);
  h.Advance(seconds(50));
  EXPECT_THAT(h.PlaceAll("a2"), IsEmpty());
  h.Advance(seconds(11));
  const auto fresh = h.PlaceAll("a2");
  ASSERT_THAT(fresh, SizeIs(1));
  h.Take();
  h.Tell(old, TaskState::kRunning);
  EXPECT_THAT(h.Take().kills, ElementsAre(KillCall{old, {"a1"}}));
  h.Tell(old, TaskState::kKilled);
  h.Tell(fresh[0], TaskState::kFinished);
  EXPECT_EQ(h.Phase("j"), JobPhase::kSucceeded);
}

TEST(Lifecycle, TheJobSaysHowLongACutOffTaskIsWaitedFor) {
  const std::pair<Duration, bool> cases[] = {
      {Duration(0), true}, {seconds(5), true}, {hours(24), false}, {kForever, false}};
  for (const auto& [wait, replaced] : cases) {
    for (const bool restarted : {false, true}) {
      Harness h;
      Job job = CommandJob("j", 1);
      job.unreachable_wait = wait;
      const TaskId old = h.Start(job, "a1");
      h.Tell(old, TaskState::kUnreachable);
      if (restarted) h.Restart();
      if (restarted) h.Connect();
      h.Advance(Duration(0));
      if (wait.count() > 0) EXPECT_THAT(h.PlaceAll("a2"), IsEmpty());
      h.Advance(seconds(6));
      h.Advance(hours(2));
      EXPECT_THAT(h.PlaceAll("a2"), SizeIs(replaced ? 1 : 0)) << ToSeconds(wait);
      // Who waits goes on with what comes back, or starts again when Mesos says that it is gone.
      h.Tell(old, replaced ? TaskState::kKilled : TaskState::kGone);
      h.Advance(hours(1));
      EXPECT_THAT(h.PlaceAll("a3"), SizeIs(replaced ? 0 : 1)) << ToSeconds(wait);
    }
  }
}

TEST(Lifecycle, ACutOffTaskThatHasFinishedIsNotStartedAgain) {
  for (const bool started_again : {false, true}) {
    for (const bool restarted : {false, true}) {
      Harness h;
      const TaskId old = h.Start(CommandJob("j", 1), "a1");
      h.Tell(old, TaskState::kUnreachable);
      h.Advance(seconds(61));
      std::vector<TaskId> fresh;
      if (started_again) fresh = h.PlaceAll("a2");
      h.Tell(old, TaskState::kFinished);
      if (restarted) h.Restart();
      if (restarted) h.Connect();
      EXPECT_EQ(h.Phase("j"), started_again ? JobPhase::kRunning : JobPhase::kSucceeded);
      EXPECT_THAT(h.PlaceAll("a2"), IsEmpty());
      for (const TaskId& task : fresh) h.Tell(task, TaskState::kFinished);
      EXPECT_EQ(h.Phase("j"), JobPhase::kSucceeded);
    }
  }
}

TEST(Lifecycle, ASecondKillOfATaskIsWrittenToo) {
  Harness h;
  const TaskId task = h.Start(CommandJob("j", 1), "a1");
  EXPECT_TRUE(h.life().KillTask(task, h.now()));
  h.Take();
  h.Advance(seconds(1));
  EXPECT_TRUE(h.life().KillTask(task, h.now()));
  EXPECT_EQ(h.TaskAt(task).kill_sent, h.now());
  EXPECT_THAT(h.Take().tasks, ElementsAre(task));
}

TEST(Lifecycle, ATaskThatAUserKillsWhileItIsCutOffIsReplacedToo) {
  for (const bool killed_first : {true, false}) {
    Harness h;
    const TaskId old = h.Start(CommandJob("j", 1), "a1");
    if (killed_first) EXPECT_TRUE(h.life().KillTask(old, h.now()));
    h.Tell(old, TaskState::kUnreachable);
    if (!killed_first) EXPECT_TRUE(h.life().KillTask(old, h.now()));
    h.Restart();
    h.Connect();
    h.Tell(old, TaskState::kUnreachable);
    EXPECT_THAT(h.PlaceAll("a2"), IsEmpty());
    h.Advance(seconds(1));
    h.Advance(minutes(2));
    EXPECT_THAT(h.PlaceAll("a2"), SizeIs(1));
  }
}

TEST(Lifecycle, ACutOffTaskThatComesBackInTimeGoesOn) {
  Harness h;
  const TaskId task = h.Start(CommandJob("j", 1), "a1");
  h.Tell(task, TaskState::kUnreachable);
  h.Advance(seconds(30));
  h.Tell(task, TaskState::kRunning);
  h.Advance(minutes(10));
  EXPECT_EQ(h.TaskAt(task).state, TaskState::kRunning);
  EXPECT_THAT(h.PlaceAll("a2"), IsEmpty());
}

TEST(Lifecycle, StrangersAndGhostsAreKilledUntilTheyEnd) {
  Harness h;
  h.Tell({"stranger"}, TaskState::kRunning);
  const Effects first = h.Take();
  EXPECT_THAT(first.kills, ElementsAre(KillCall{{"stranger"}, {"a1"}}));
  EXPECT_TRUE(first.Durable());  // who does not lead any more is told so before
  h.Advance(seconds(6));
  EXPECT_THAT(h.Take().kills, ElementsAre(KillCall{{"stranger"}, {"a1"}}));
  h.Tell({"stranger"}, TaskState::kKilled);
  h.Advance(seconds(6));
  EXPECT_THAT(h.Take().kills, IsEmpty());

  h.Submit(CommandJob("j", 1));
  const TaskId lost = h.PlaceAll("a1")[0];
  h.Tell(lost, TaskState::kLost);
  h.Take();
  h.Tell(lost, TaskState::kRunning);
  EXPECT_THAT(h.Take().kills, ElementsAre(KillCall{lost, {"a1"}}));
}

TEST(Lifecycle, LateNewsDoNotTurnATaskBack) {
  Harness h;
  const TaskId task = h.Start(CommandJob("j", 1), "a1");
  h.Tell(task, TaskState::kStarting);
  EXPECT_EQ(h.TaskAt(task).state, TaskState::kRunning);
  h.Tell(task, TaskState::kFinished);
  h.Tell(task, TaskState::kFinished);
  EXPECT_EQ(h.Phase("j"), JobPhase::kSucceeded);
}

TEST(Lifecycle, EachUpdateWithAUuidIsAcknowledged) {
  Harness h;
  h.Take();
  h.life().Update({.task = {"t"}, .agent = {"a1"}, .state = TaskState::kFinished, .uuid = "u"},
                  h.now());
  h.life().Update({.task = {"t"}, .agent = {"a1"}, .state = TaskState::kFinished}, h.now());
  EXPECT_THAT(h.Take().acknowledgements, ElementsAre(Acknowledgement{{"t"}, {"a1"}, "u"}));
}

TEST(Lifecycle, GroupsAndJobsWaitForThoseBeforeThem) {
  Harness h;
  Job job = CommandJob("second", 1);
  job.after = {"first"};
  h.Submit(job);
  EXPECT_EQ(h.Why("second").reason, "waits for job first, which is not known");
  Job first = CommandJob("first", 1);
  Group tail = first.groups[0];
  tail.name = "tail";
  tail.after = {"g"};
  first.groups.push_back(tail);
  h.Submit(first);
  EXPECT_EQ(h.Why("second").reason, "waits for job first, which is WAITING");
  EXPECT_EQ(h.Why("first", "tail").reason, "waits for group g, of which 0 of 1 have finished");
  h.Tell(h.PlaceAll("a1")[0], TaskState::kFinished);
  h.Tell(h.PlaceAll("a1")[0], TaskState::kFinished);
  EXPECT_EQ(h.Phase("first"), JobPhase::kSucceeded);
  EXPECT_THAT(h.PlaceAll("a1"), SizeIs(1));
}

TEST(Lifecycle, ATrainingGroupIsMerged) {
  Harness h;
  h.Submit(TrainingJob("forest", 2));
  const auto parts = h.PlaceAll("a1");
  ASSERT_THAT(parts, SizeIs(2));
  for (const TaskId& part : parts) h.Tell(part, TaskState::kFinished);
  EXPECT_EQ(h.Phase("forest"), JobPhase::kRunning);
  const auto merge = h.PlaceAll("a1");
  ASSERT_THAT(merge, SizeIs(1));
  EXPECT_EQ(h.TaskAt(merge[0]).member.group, "g-merge");
  h.Tell(merge[0], TaskState::kFinished);
  EXPECT_EQ(h.Phase("forest"), JobPhase::kSucceeded);
}

TEST(Lifecycle, AServingJobWaitsForItsModel) {
  Harness h;
  Job job{.name = "serve",
          .kind = JobKind::kServing,
          .groups = {{.name = "g", .ports = 1, .work = ServeWork{{{.name = "m"}}}}}};
  h.Submit(job);
  EXPECT_EQ(h.Why("serve").blocker, Blocker::kNoModel);
  EXPECT_EQ(h.Why("serve").reason, "model m is not registered");
  EXPECT_EQ(h.life().Register({.model = "m", .uri = "u", .job = "j"}, h.now()).value(), 1);
  EXPECT_EQ(h.life().Register({.model = "m", .uri = "u", .job = "j"}, h.now()).value(), 1);
  EXPECT_EQ(h.life().Register({.model = "m", .uri = "u", .job = "k"}, h.now()).value(), 2);
  EXPECT_TRUE(h.life().SetLabel("m", "prod", 1));
  EXPECT_FALSE(h.life().SetLabel("m", "prod", 3));
  EXPECT_THAT(h.PlaceAll("a1"), SizeIs(1));
}

TEST(Lifecycle, MissingMembersOfAGangStartTogether) {
  Harness h;
  Job job = CommandJob("gang", 4);
  job.gang_members = 4;
  h.Submit(job);
  EXPECT_EQ(h.life().See(h.now()).jobs[0].gang_needed, 4);
  const auto tasks = h.PlaceAll("a1");
  for (const TaskId& task : tasks) h.Tell(task, TaskState::kRunning);
  h.Tell(tasks[0], TaskState::kLost);
  EXPECT_EQ(h.life().See(h.now()).jobs[0].gang_needed, 1);
  h.Tell(tasks[1], TaskState::kFailed);
  EXPECT_THAT(h.life().See(h.now()).jobs, IsEmpty()) << "one of the two rests";
  h.Advance(seconds(2));
  EXPECT_EQ(h.life().See(h.now()).jobs[0].gang_needed, 2);
}

TEST(Lifecycle, AGangThatIsNearTellsWhereItsLiveMembersAre) {
  Harness h;
  Job job = CommandJob("gang", 2);
  job.groups.push_back(job.groups[0]);
  job.groups[1].name = "late";
  job.groups[1].after = {"g"};
  job.gang_members = 2;
  job.gang_require = "rak";
  EXPECT_EQ(h.life().Submit(job, 1, h.now()).error(),
            (Error{ErrorCode::kInvalidArgument,
                   "level is \"rak\": expected one of region, zone, rack, switch, host",
                   "gang.require"}));
  job.gang_require = "rack";
  h.Submit(job);
  EXPECT_THAT(h.life().See(h.now()).jobs[0].placed, IsEmpty());
  const auto tasks = h.PlaceAll("a1");
  for (const TaskId& task : tasks) h.Tell(task, TaskState::kRunning);
  h.Tell(tasks[0], TaskState::kLost);
  EXPECT_THAT(h.life().See(h.now()).jobs[0].placed, ElementsAre(AgentId{"a1"}));
}

TEST(Lifecycle, HigherPriorityThenTheFirstSubmitIsServedFirst) {
  Harness h;
  for (const auto& [name, priority] : {std::pair("late", 50), {"later", 50}, {"high", 90}}) {
    Job job = CommandJob(name, 1);
    job.priority = priority;
    h.Submit(job);
    h.Advance(seconds(1));
  }
  std::vector<std::string> order;
  for (const WaitingJob& job : h.life().See(h.now()).jobs) order.push_back(job.job->name);
  EXPECT_THAT(order, ElementsAre("high", "late", "later"));
}

TEST(Lifecycle, OldJobsAreForgotten) {
  Harness h({.ended_jobs_max = 2});
  for (int i = 0; i < 4; ++i) {
    h.Submit(CommandJob("j" + std::to_string(i), 1));
    h.Tell(h.PlaceAll("a1")[0], TaskState::kFinished);
    h.Advance(seconds(1));
  }
  EXPECT_THAT(h.life().state().jobs, SizeIs(2));
  EXPECT_THAT(h.life().state().tasks, SizeIs(2));
}

}  // namespace
}  // namespace kiln::scheduler
