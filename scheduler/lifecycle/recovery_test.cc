// What holds after restarts, lost connections and lost executors.
#include <gmock/gmock.h>

#include "scheduler/lifecycle/harness_for_test.h"

namespace kiln::scheduler {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

TEST(Recovery, NothingIsLaunchedBeforeWhatRanIsAccountedFor) {
  Harness h;
  h.Submit(CommandJob("old", 1));
  const TaskId task = h.PlaceAll("a1")[0];
  h.Submit(CommandJob("new", 1));
  h.Restart();
  EXPECT_EQ(h.Why("new").blocker, Blocker::kNotConnected);
  h.Connect();
  EXPECT_EQ(h.Why("new").blocker, Blocker::kRecovering);
  EXPECT_THAT(h.PlaceAll("a1"), IsEmpty());
  h.Tell(task, TaskState::kRunning, "RECONCILIATION");
  EXPECT_THAT(h.PlaceAll("a1"), SizeIs(1));
}

TEST(Recovery, SilenceIsWaitedForOnlySoLong) {
  Harness h;
  h.Submit(CommandJob("old", 1));
  h.PlaceAll("a1");
  h.Submit(CommandJob("new", 1));
  h.Restart();
  h.Connect();
  h.Advance(seconds(9));
  EXPECT_FALSE(h.life().Settled(h.now()));
  h.Advance(seconds(2));
  EXPECT_TRUE(h.life().Settled(h.now()));
  EXPECT_THAT(h.PlaceAll("a1"), SizeIs(1));
}

// A master that has just begun to lead says nothing of an agent until that has come back to it.
TEST(Recovery, SilenceOfANewMasterEndsNoTask) {
  Harness h;
  const TaskId task = h.Start(CommandJob("j", 1), "a1");
  h.life().Disconnected();
  h.Connect();
  for (int i = 0; i < 20; ++i) {
    h.Advance(seconds(30));
    EXPECT_THAT(h.PlaceAll("a2"), IsEmpty());
  }
  EXPECT_EQ(h.life().state().tasks.at(task).state, TaskState::kRunning);
}

TEST(Recovery, TasksAreAskedForUntilTheyAnswer) {
  Harness h;
  h.Submit(CommandJob("j", 2));
  const auto tasks = h.PlaceAll("a1");
  h.Restart();
  h.Take();
  h.Connect();
  const ReconcileCall both{{{tasks[0], {"a1"}}, {tasks[1], {"a1"}}}};
  EXPECT_THAT(h.Take().reconciles, ElementsAre(both));
  h.Tell(tasks[0], TaskState::kRunning);
  const ReconcileCall one{{{tasks[1], {"a1"}}}};
  const auto asks_again_after = [&](Duration pause) {
    h.Advance(pause - std::chrono::milliseconds(1));
    EXPECT_THAT(h.Take().reconciles, IsEmpty());
    h.Advance(std::chrono::milliseconds(1));
    EXPECT_THAT(h.Take().reconciles, ElementsAre(one));
  };
  asks_again_after(seconds(2));
  asks_again_after(seconds(4));
  // Who is silent for so long is waited for no more, and the others come to be asked for.
  h.Advance(seconds(4));
  EXPECT_THAT(h.Take().reconciles, ElementsAre(ReconcileCall{}));
  asks_again_after(seconds(4));
  asks_again_after(seconds(16));
  h.Tell(tasks[1], TaskState::kRunning);
  h.Advance(minutes(5));
  EXPECT_THAT(h.Take().reconciles, IsEmpty());
  h.Advance(minutes(10));
  EXPECT_THAT(h.Take().reconciles, ElementsAre(both, ReconcileCall{}));
}

TEST(Recovery, ARoundAsksForSomeTasksAtATime) {
  Settings settings;
  settings.reconcile_portion = 2;
  Harness h(settings);
  h.Submit(CommandJob("j", 3));
  const auto tasks = h.PlaceAll("a1");
  h.Restart();
  h.Take();
  h.Connect();
  const ReconcileCall first{{{tasks[0], {"a1"}}, {tasks[1], {"a1"}}}};
  EXPECT_THAT(h.Take().reconciles, ElementsAre(first));
  h.Tell(tasks[0], TaskState::kRunning);
  h.Tell(tasks[1], TaskState::kRunning);
  EXPECT_FALSE(h.life().Settled(h.now()));
  h.Advance(settings.reconcile_pause);
  EXPECT_THAT(h.Take().reconciles, ElementsAre(ReconcileCall{{{tasks[2], {"a1"}}}}));
  h.Tell(tasks[2], TaskState::kRunning);
  EXPECT_TRUE(h.life().Settled(h.now()));
  // What nobody asked for is told last, as it keeps nobody waiting.
  h.Advance({});
  EXPECT_THAT(h.Take().reconciles, ElementsAre(ReconcileCall{}));
}

TEST(Recovery, WhatIsToldAgainIsNotWrittenAgain) {
  Harness h;
  const TaskId task = h.Start(CommandJob("j", 1), "a1");
  EXPECT_THAT(h.Take().tasks, ElementsAre(task));
  h.Tell(task, TaskState::kRunning, "RECONCILIATION");
  EXPECT_FALSE(h.Take().Durable());
  h.Tell(task, TaskState::kRunning, "", "half done");
  EXPECT_THAT(h.Take().tasks, ElementsAre(task));
}

TEST(Recovery, ALaunchThatWasNeverSentIsRepeatedUnderANewId) {
  Harness h;
  h.Submit(CommandJob("j", 1));
  const TaskId intended = h.PlaceAll("a1")[0];
  h.Restart();
  h.Connect();
  h.Tell(intended, TaskState::kGone, "RECONCILIATION");
  const auto again = h.PlaceAll("a1");
  ASSERT_THAT(again, SizeIs(1));
  EXPECT_NE(again[0], intended);
  EXPECT_EQ(h.TaskAt(again[0]).failures, 0);
}

TEST(Recovery, IdsAreNeverUsedTwice) {
  Harness h;
  std::set<std::string> ids;
  for (int life = 0; life < 4; ++life) {
    for (int i = 0; i < 3; ++i) {
      const std::string name = "j" + std::to_string(i);
      h.Submit(TrainingJob(name, 1), static_cast<uint64_t>(100 * life + i + 1));
    }
    for (const TaskId& task : h.PlaceAll("a1")) {
      EXPECT_TRUE(ids.insert(task.text).second) << task.text;
      ids.insert(h.TaskAt(task).executor.text);
      h.Tell(task, TaskState::kFinished);
    }
    h.Restart();
    h.Connect();
  }
  EXPECT_THAT(ids, SizeIs(4 * 3 * 2));
}

TEST(Recovery, AWantedKillOutlivesTheScheduler) {
  Harness h;
  const TaskId task = h.Start(CommandJob("j", 1), "a1");
  ASSERT_TRUE(h.life().Kill("j", h.now()));
  h.Restart();
  h.Connect();
  h.Take();
  h.Tell(task, TaskState::kRunning, "RECONCILIATION");
  h.Advance(seconds(1));
  EXPECT_THAT(h.Take().kills, ElementsAre(KillCall{task, {"a1"}}));
  EXPECT_THAT(h.PlaceAll("a2"), IsEmpty());
}

TEST(Recovery, ARemovedFrameworkLosesItsTasksAndTheyAreRetried) {
  Harness h;
  h.Submit(CommandJob("j", 2));
  const auto tasks = h.PlaceAll("a1");
  h.Tell(tasks[0], TaskState::kRunning);
  h.Take();
  h.life().FrameworkRemoved(h.now());
  EXPECT_EQ(h.life().state().framework_id, "");
  EXPECT_TRUE(h.Take().meta);
  EXPECT_EQ(h.TaskAt(tasks[0]).state, TaskState::kLost);
  h.life().Subscribed("f-2", h.now());
  EXPECT_TRUE(h.Take().meta);
  EXPECT_THAT(h.PlaceAll("a1"), SizeIs(2));
}

TEST(Recovery, AFailureOfAnAgentOrExecutorIsAskedAboutAndEndsNoTask) {
  for (const bool whole_agent : {true, false}) {
    Harness h;
    const TaskId id = h.Start(CommandJob("j", 1), "a1");
    h.Take();
    const Task task = h.TaskAt(id);
    if (whole_agent) h.life().AgentLost({"a1"}, h.now());
    if (!whole_agent) h.life().ExecutorLost(task.executor, {"a1"}, h.now());
    EXPECT_THAT(h.Take().reconciles, ElementsAre(ReconcileCall{{{id, {"a1"}}}}));
    EXPECT_EQ(h.TaskAt(id), task);
    EXPECT_THAT(h.PlaceAll("a2"), IsEmpty());
  }
}

// Mesos frees what a task has before it offers it, and a subscription begins with offers: what had
// ended by then, or never began, is in them.
TEST(Recovery, WhatEndedBeforeTheSubscriptionFreesNothing) {
  Harness h;
  h.Submit(CommandJob("j", 2));
  const auto tasks = h.PlaceAll("a1");
  h.Restart();
  h.Connect();
  h.Tell(tasks[0], TaskState::kRunning);
  h.Tell(tasks[1], TaskState::kGone);
  EXPECT_THAT(h.Take().freed, IsEmpty());
  h.Tell(tasks[0], TaskState::kFinished);
  EXPECT_THAT(h.Take().freed, SizeIs(1));
  const TaskId again = h.PlaceAll("a1")[0];
  h.Tell(again, TaskState::kRunning);
  h.Take();
  h.life().AgentLost({"a1"}, h.now());
  h.Tell(again, TaskState::kLost);
  EXPECT_THAT(h.Take().freed, SizeIs(1)) << "it was heard of before it was asked for";
  const TaskId last = h.PlaceAll("a1")[0];
  h.Tell(last, TaskState::kRunning);
  h.Take();
  h.Tell(last, TaskState::kGone, "RECONCILIATION");
  EXPECT_THAT(h.Take().freed, IsEmpty()) << "it may have ended before the last offer";
}

// Mesos hands on what an executor tells and keeps none of it: reconciliation brings the state
// alone.
TEST(Recovery, WhatAnExecutorToldIsRememberedHere) {
  Harness h;
  Job job = CommandJob("j", 1);
  job.kind = JobKind::kService;
  h.Submit(job);
  const TaskId id = h.PlaceAll("a1")[0];
  h.life().Update({.task = id,
                   .agent = {"a1"},
                   .state = TaskState::kRunning,
                   .by_executor = true,
                   .healthy = true,
                   .fraction = 0.5,
                   .endpoint = "host1:31000",
                   .checkpoints = 2},
                  h.now());
  const Task told = h.TaskAt(id);
  EXPECT_EQ(told.endpoint, "host1:31000");
  h.Restart();
  h.Connect();
  h.Tell(id, TaskState::kRunning, "RECONCILIATION");
  EXPECT_EQ(h.TaskAt(id), told);
}

TEST(Executors, KernelWorkOfAJobOnAnAgentSharesOne) {
  Harness h;
  h.Submit(TrainingJob("j", 3));
  const auto tasks = h.PlaceAll("a1");
  ASSERT_THAT(tasks, SizeIs(3));
  EXPECT_TRUE(h.starts()[0].new_executor);
  EXPECT_FALSE(h.starts()[1].new_executor);
  EXPECT_EQ(h.TaskAt(tasks[0]).executor, h.TaskAt(tasks[2]).executor);
  EXPECT_THAT(h.life().Warm().On({"a1"}), ElementsAre("* job j"));

  h.Submit(CommandJob("c", 2));
  const auto commands = h.PlaceAll("a1");
  EXPECT_NE(h.TaskAt(commands[0]).executor, h.TaskAt(commands[1]).executor);
}

// Which of its devices Mesos takes back from an executor that holds several is Mesos's choice.
TEST(Executors, WorkWithDevicesOfItsOwnSharesNoExecutor) {
  for (Job job : {TrainingJob("kernel", 2), CommandJob("command", 2)}) {
    Harness h;
    job.groups[0].gpus.count = 1;
    h.Submit(job);
    const auto tasks = h.PlaceAll("a1");
    ASSERT_THAT(tasks, SizeIs(2));
    for (const TaskId& task : tasks) EXPECT_EQ(h.TaskAt(task).executor.text, task.text);
  }
}

TEST(Executors, APoolKeepsThemWarmBetweenJobs) {
  Harness h;
  Job job = TrainingJob("one", 1);
  job.pool = "warm";
  h.Submit(job);
  const TaskId one = h.PlaceAll("a1")[0];
  h.Tell(one, TaskState::kFinished);
  h.Advance(seconds(30));
  job.name = "two";
  h.Submit(job);
  const TaskId two = h.PlaceAll("a1")[0];
  EXPECT_EQ(h.TaskAt(one).executor, h.TaskAt(two).executor);
  EXPECT_FALSE(h.starts()[0].new_executor);
  h.Tell(two, TaskState::kFinished);
  h.Take();
  h.Advance(seconds(61));
  EXPECT_THAT(h.Take().shutdowns, ElementsAre(ShutdownCall{h.TaskAt(two).executor, {"a1"}}));
  EXPECT_THAT(h.life().Warm().On({"a1"}), IsEmpty());
}

TEST(Executors, IdleOnesAreShutDownWhenThatIsHeard) {
  Harness h;
  h.Submit(TrainingJob("j", 1));
  const TaskId task = h.PlaceAll("a1")[0];
  h.Tell(task, TaskState::kFinished);
  h.Take();
  h.life().Disconnected();
  h.Advance(seconds(61));
  EXPECT_THAT(h.Take().shutdowns, IsEmpty());
  h.Connect();
  h.Advance(seconds(1));
  EXPECT_THAT(h.Take().shutdowns, ElementsAre(ShutdownCall{h.TaskAt(task).executor, {"a1"}}));
}

TEST(Executors, OneThatFailedGetsNoFurtherTask) {
  const std::pair<TaskState, const char*> ends[] = {{TaskState::kFailed, "EXECUTOR_TERMINATED"},
                                                    {TaskState::kDropped, "INVALID_OFFERS"},
                                                    {TaskState::kLost, "AGENT_REMOVED"}};
  for (const auto& [state, reason] : ends) {
    Harness h;
    h.Submit(TrainingJob("j", 1));
    const TaskId task = h.PlaceAll("a1")[0];
    const ExecutorId executor = h.TaskAt(task).executor;
    h.Tell(task, state, reason);
    h.Advance(seconds(2));
    const TaskId next = h.PlaceAll("a1")[0];
    EXPECT_NE(h.TaskAt(next).executor, executor) << reason;
  }
}

// Starts a member with a share of device g0 on agent a1.
TaskId StartWithShare(Harness& h, const std::string& name, int milli) {
  Job job = CommandJob(name, 1);
  job.groups[0].gpus.share = milli / 1000.0;
  h.Submit(job);
  const Resources resources{.cpus_milli = 100, .gpu_shares = {{{"g0"}, milli}}};
  h.life().LaunchAll({{{name, "g", 0}, {"a1"}, {{"o1"}}, resources}},
                     {{{"a1"}, {.id = {"a1"}, .hostname = "a1"}}}, h.now());
  return h.Take().starts.at(0).task;
}

TEST(Executors, MembersThatShareADeviceShareTheExecutorThatHoldsIt) {
  Harness h;
  const TaskId first = StartWithShare(h, "a", 500);
  const TaskId second = StartWithShare(h, "b", 300);
  EXPECT_EQ(h.TaskAt(first).executor, h.TaskAt(second).executor);
  using Shared = SharedExecutors::Shared;
  const Shared::key_type room{{"a1"}, "*"};
  EXPECT_EQ(h.life().FreeShares(), (Shared{{room, std::vector<GpuShare>{{{"g0"}, 200}}}}));
  h.Tell(first, TaskState::kRunning);
  h.Tell(second, TaskState::kRunning);
  h.Take();
  h.Tell(first, TaskState::kFinished);
  EXPECT_EQ(h.life().FreeShares(), (Shared{{room, std::vector<GpuShare>{{{"g0"}, 700}}}}));
  const std::vector<Freed> freed = h.Take().freed;
  ASSERT_EQ(freed.size(), 1U);
  EXPECT_EQ(freed[0].resources, (Resources{.cpus_milli = 100}));
  // With the last of them the executor goes, and its device is whole again.
  h.Tell(second, TaskState::kFinished);
  EXPECT_EQ(h.life().FreeShares(), Shared{});
  h.Advance(std::chrono::milliseconds(1));
  EXPECT_EQ(h.Take().shutdowns.size(), 1U);
}

// Mesos offers what an executor holds that it has lost sight of.
TEST(Executors, ADeviceIsNobodysUntilTheTasksThereHaveEnded) {
  Harness h;
  const TaskId task = StartWithShare(h, "a", 500);
  const std::vector<Offer> offers{
      {.agent = {.id = {"a1"}, .hostname = "h1"}, .resources = {.gpu_ids = {{"g0"}, {"g1"}}}}};
  EXPECT_EQ(h.life().BarsFor({}), Bars{});
  const std::string held = "gpu g0 of agent h1 is held by executor " + h.TaskAt(task).executor.text;
  const Bars bars{{{"a1"}, {"", false, {{{"g0"}, held}}}}};
  EXPECT_EQ(h.life().BarsFor(offers), bars);
  h.Tell(task, TaskState::kRunning);
  h.life().ExecutorsSeen({"a1"}, {}, h.now());
  EXPECT_EQ(h.life().BarsFor(offers), bars);
  h.Restart();
  EXPECT_EQ(h.life().BarsFor(offers), bars);
  h.Tell(task, TaskState::kFinished);
  EXPECT_EQ(h.life().BarsFor(offers), Bars{});
}

TEST(Executors, WhatAForgottenTaskLeavesIsShutDown) {
  Harness h;
  const TaskId old = h.Start(TrainingJob("j", 1), "a1");
  const ExecutorId executor = h.TaskAt(old).executor;
  h.Tell(old, TaskState::kUnreachable);
  h.Advance(seconds(3600));
  const TaskId task = h.PlaceAll("a2").at(0);
  h.Tell(task, TaskState::kFinished);
  ASSERT_EQ(h.Phase("j"), JobPhase::kSucceeded);
  h.Take();
  h.Submit(TrainingJob("j", 1), 2);
  EXPECT_FALSE(h.life().state().tasks.contains(old));
  h.Advance(seconds(1));
  EXPECT_THAT(h.Take().shutdowns, testing::Contains(ShutdownCall{executor, {"a1"}}));
}

// What an executor of an earlier life has free is nobody's: its description is not known.
TEST(Executors, ADeviceSharedBeforeARestartGetsNoFurtherMember) {
  Harness h;
  const TaskId task = StartWithShare(h, "a", 500);
  h.Tell(task, TaskState::kRunning);
  h.Restart();
  EXPECT_EQ(h.life().FreeShares(), SharedExecutors::Shared{});
  EXPECT_EQ(h.TaskAt(task).resources.gpu_shares, (std::vector<GpuShare>{{{"g0"}, 500}}));
}

TEST(Executors, WorkThatFailedByItselfLeavesItsExecutorWarm) {
  Harness h;
  const TaskId task = h.Start(TrainingJob("j", 1), "a1");
  h.Tell(task, TaskState::kFailed, "", "row 3 has a hole");
  EXPECT_THAT(h.life().Warm().On({"a1"}), SizeIs(1));
}

TEST(Executors, ARefusalBecauseTheExecutorNeverCameIsChargedToTheClusterOnce) {
  Harness h;
  h.Submit(TrainingJob("j", 1));
  const TaskId first = h.PlaceAll("a1")[0];
  h.Tell(first, TaskState::kError, "TASK_INVALID");
  EXPECT_EQ(h.TaskAt(first).charge, Charge::kCluster);
  const TaskId second = h.PlaceAll("a1")[0];
  h.Tell(second, TaskState::kError, "TASK_INVALID");
  EXPECT_EQ(h.TaskAt(second).charge, Charge::kJob);
}

TEST(Executors, ARefusalOfATaskForOneThatRunsIsChargedToTheClusterOnce) {
  Harness h;
  h.Submit(TrainingJob("j", 3));
  const auto tasks = h.PlaceAll("a1");
  h.Tell(tasks[0], TaskState::kRunning);
  h.Tell(tasks[2], TaskState::kError);
  EXPECT_EQ(h.TaskAt(tasks[2]).charge, Charge::kJob) << "the executor's own word";
  h.Tell(tasks[1], TaskState::kError, "TASK_INVALID");
  EXPECT_EQ(h.TaskAt(tasks[1]).charge, Charge::kCluster);
  EXPECT_THAT(h.life().Warm().On({"a1"}), SizeIs(1));
  h.Tell(h.PlaceAll("a1").at(0), TaskState::kError, "TASK_INVALID");
  EXPECT_EQ(h.life().state().tasks.rbegin()->second.charge, Charge::kJob);
}

TEST(Executors, ThoseOfAnEarlierLifeAreEndedWhenTheirTasksAre) {
  Harness h;
  const TaskId task = h.Start(TrainingJob("j", 1), "a1");
  h.Restart();
  h.Connect();
  EXPECT_THAT(h.life().Warm().On({"a1"}), IsEmpty());
  h.Tell(task, TaskState::kFinished);
  h.Take();
  h.Advance(seconds(1));
  EXPECT_THAT(h.Take().shutdowns, ElementsAre(ShutdownCall{h.TaskAt(task).executor, {"a1"}}));
}

// An agent that registers again while the launch is on its way to it makes the master forget the
// executor, and refuse further tasks for it.
TEST(Executors, OneThatAnOfferDoesNotTellOfGetsNoFurtherTask) {
  Harness h;
  h.Submit(TrainingJob("j", 1));
  const TaskId task = h.PlaceAll("a1")[0];
  const ExecutorId executor = h.TaskAt(task).executor;
  h.life().ExecutorsSeen({"a1"}, {}, h.now());
  EXPECT_THAT(h.life().Warm().On({"a1"}), SizeIs(1)) << "the offer may be older than the launch";
  h.Tell(task, TaskState::kRunning);
  h.life().ExecutorsSeen({"a1"}, {executor}, h.now());
  EXPECT_THAT(h.life().Warm().On({"a1"}), SizeIs(1));
  h.life().ExecutorsSeen({"a1"}, {}, h.now());
  EXPECT_THAT(h.life().Warm().On({"a1"}), IsEmpty());
  h.Take();
  h.Tell(task, TaskState::kFinished);
  h.Advance(seconds(1));
  EXPECT_THAT(h.Take().shutdowns, ElementsAre(ShutdownCall{executor, {"a1"}}));
}

// Mesos says so as well of one that it has lost sight of: its tasks run on.
TEST(Executors, OneThatIsSaidToBeGoneIsEndedWhenItsTasksAre) {
  for (const bool whole_agent : {true, false}) {
    Harness h;
    const TaskId task = h.Start(TrainingJob("j", 1), "a1");
    const ExecutorId executor = h.TaskAt(task).executor;
    if (whole_agent) h.life().AgentLost({"a1"}, h.now());
    if (!whole_agent) h.life().ExecutorLost(executor, {"a1"}, h.now());
    EXPECT_THAT(h.life().Warm().On({"a1"}), IsEmpty());
    h.Advance(seconds(1));
    EXPECT_THAT(h.Take().shutdowns, IsEmpty());
    h.Tell(task, TaskState::kFinished);
    h.Advance(seconds(1));
    EXPECT_THAT(h.Take().shutdowns, ElementsAre(ShutdownCall{executor, {"a1"}}));
  }
}

TEST(Executors, StrangersAreShutDown) {
  Harness h;
  h.Submit(TrainingJob("j", 1));
  h.Submit(CommandJob("c", 1));
  std::vector<ExecutorId> executors{{"stranger"}};
  for (const TaskId& task : h.PlaceAll("a1")) executors.push_back(h.TaskAt(task).executor);
  h.life().ExecutorsSeen({"a1"}, executors, h.now());
  EXPECT_THAT(h.Take().shutdowns, ElementsAre(ShutdownCall{{"stranger"}, {"a1"}}));
}

TEST(Executors, StrangersThatAreOfferedDuringReconciliationAreShutDownAfterIt) {
  Harness h;
  h.Submit(CommandJob("c", 1));
  const TaskId task = h.PlaceAll("a1")[0];
  h.Restart();
  h.Connect();
  h.life().ExecutorsSeen({"a1"}, {{"stranger"}, h.TaskAt(task).executor}, h.now());
  EXPECT_THAT(h.Take().shutdowns, IsEmpty());
  h.Tell(task, TaskState::kRunning);
  h.Advance(seconds(1));
  EXPECT_THAT(h.Take().shutdowns, ElementsAre(ShutdownCall{{"stranger"}, {"a1"}}));
}

}  // namespace
}  // namespace kiln::scheduler
