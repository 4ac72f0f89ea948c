#include "executor/protocol/protocol.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kiln::executor {
namespace {

using mesos::v1::CheckInfo;
using mesos::v1::CheckStatusInfo;
using mesos::v1::TaskInfo;
using mesos::v1::TaskStatus;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

TaskInfo TaskOf(const std::string& id) {
  TaskInfo task;
  task.set_name(id);
  task.mutable_task_id()->set_value(id);
  task.mutable_agent_id()->set_value("agent");
  task.set_data("work");
  return task;
}

TaskInfo CommandTaskOf(const std::string& id) {
  TaskInfo task = TaskOf(id);
  task.clear_data();
  task.mutable_command()->set_value("true");
  return task;
}

// "FAILED reason=33 healthy=0 data=x: message", what a status says.
std::string Text(const TaskStatus& status) {
  std::string out = mesos::v1::TaskState_Name(status.state()).substr(5);
  if (status.has_reason()) out += fmt::format(" reason={}", static_cast<int>(status.reason()));
  if (status.has_healthy()) out += fmt::format(" healthy={:d}", status.healthy());
  if (status.has_check_status()) {
    out += fmt::format(" exit={}", status.check_status().command().has_exit_code()
                                       ? status.check_status().command().exit_code()
                                       : -1);
  }
  if (status.has_data()) out += " data=" + status.data();
  if (status.has_message()) out += ": " + status.message();
  return out;
}

// A protocol under a clock of its own, whose effects are lines of text.
class ProtocolTest : public testing::Test {
 protected:
  using Lines = std::vector<std::string>;

  Lines Do(const Input& input) {
    Lines lines;
    for (const Effect& effect : protocol_.On(input, now_)) {
      if (const auto* update = std::get_if<SendUpdate>(&effect)) {
        sent_.push_back(update->status);
        lines.push_back(update->status.task_id().value() + " " + Text(update->status));
      } else if (const auto* start = std::get_if<StartWork>(&effect)) {
        lines.push_back("start " + start->task.task_id().value());
      } else if (const auto* stop = std::get_if<StopWork>(&effect)) {
        lines.push_back((stop->force ? "force " : "stop ") + stop->task);
      } else {
        lines.push_back(fmt::format("exit {}", std::get<Exit>(effect).code));
      }
    }
    return lines;
  }
  // Acknowledges every update that was sent.
  Lines Acknowledge() {
    Lines lines;
    for (const TaskStatus& status : std::exchange(sent_, {})) {
      for (auto& line : Do(Acknowledged{status.task_id().value(), status.uuid()})) {
        lines.push_back(line);
      }
    }
    return lines;
  }
  // Lets time pass as timers ask for it, up to `end`.
  Lines Wait(Duration time) {
    Instant end = now_ + time;
    Lines lines;
    while (auto next = protocol_.NextTimer()) {
      if (*next > end) break;
      now_ = std::max(now_, *next);
      Lines more = Do(TimePassed{});
      lines.insert(lines.end(), more.begin(), more.end());
    }
    now_ = end;
    return lines;
  }
  // The task "t" and as many others as make a crowd.
  void LaunchCrowd() {
    Do(Subscribed{});
    std::vector<TaskInfo> tasks = {TaskOf("t")};
    for (int i = 0; i < 16; ++i) tasks.push_back(TaskOf(fmt::format("other{}", i)));
    Do(Launch{tasks});
  }
  // Brings a task to TASK_RUNNING with all updates acknowledged.
  void RunTask(const TaskInfo& task) {
    Do(Subscribed{true});
    Do(Launch{{task}});
    Do(WorkStarted{task.task_id().value()});
    Acknowledge();
  }

  Instant now_{1'000'000'000'000'000};
  Protocol protocol_{{.executor_id = "e1"}, 7};
  std::vector<TaskStatus> sent_;
};

TEST_F(ProtocolTest, ABareCommandIsToldToStartAtOnce) {
  Do(Subscribed{});
  EXPECT_THAT(Do(Launch{{CommandTaskOf("t")}}), ElementsAre("t STARTING", "start t"));
}

TEST_F(ProtocolTest, OnlyASlowStartIsToldOfOtherWork) {
  Do(Subscribed{});
  EXPECT_THAT(Do(Launch{{TaskOf("quick"), TaskOf("slow")}}),
              ElementsAre("start quick", "start slow"));
  EXPECT_THAT(Do(WorkStarted{"quick"}), ElementsAre("quick RUNNING"));
  EXPECT_THAT(Wait(seconds(1)), ElementsAre("slow STARTING"));
  EXPECT_THAT(Do(WorkStarted{"slow"}), ElementsAre("slow RUNNING"));
}

TEST_F(ProtocolTest, ATaskGoesFromStartToFinished) {
  EXPECT_THAT(Do(Subscribed{}), IsEmpty());
  EXPECT_THAT(Do(Launch{{TaskOf("t")}}), ElementsAre("start t"));
  EXPECT_THAT(Do(WorkStarted{"t"}), ElementsAre("t RUNNING"));
  EXPECT_THAT(Do(WorkEnded{.task = "t", .ok = true, .message = "done", .data = "r"}),
              ElementsAre("t FINISHED data=r: done"));
  EXPECT_THAT(Acknowledge(), IsEmpty());  // an executor of work waits for more
}

TEST_F(ProtocolTest, WorkInACrowdThatEndsWellAtOnceTellsItsEndAlone) {
  LaunchCrowd();
  EXPECT_THAT(Do(WorkStarted{"t"}), IsEmpty());
  EXPECT_THAT(Do(WorkEnded{.task = "t", .ok = true}), ElementsAre("t FINISHED"));
}

TEST_F(ProtocolTest, WorkInACrowdThatGoesOnTellsThatItRuns) {
  LaunchCrowd();
  EXPECT_THAT(Do(WorkStarted{"t"}), IsEmpty());
  EXPECT_THAT(Wait(milliseconds(2)), ElementsAre("t RUNNING"));
}

TEST_F(ProtocolTest, WorkInACrowdThatFailsAtOnceHasRunAllTheSame) {
  LaunchCrowd();
  EXPECT_THAT(Do(WorkStarted{"t"}), IsEmpty());
  EXPECT_THAT(Do(WorkEnded{.task = "t", .message = "no row"}),
              ElementsAre("t RUNNING", "t FAILED: no row"));
}

TEST_F(ProtocolTest, WorkThatCanNeverDoWellIsAnError) {
  RunTask(TaskOf("t"));
  EXPECT_THAT(Do(WorkEnded{.task = "t", .message = "no such column", .invalid = true}),
              ElementsAre("t ERROR: no such column"));
}

TEST_F(ProtocolTest, AStatusSaysWhoseItIs) {
  Do(Subscribed{});
  Do(Launch{{CommandTaskOf("t")}});
  ASSERT_EQ(sent_.size(), 1u);
  TaskStatus status = sent_[0];
  EXPECT_EQ(status.source(), TaskStatus::SOURCE_EXECUTOR);
  EXPECT_EQ(status.executor_id().value(), "e1");
  EXPECT_DOUBLE_EQ(status.timestamp(), now_.Seconds());
  ASSERT_EQ(status.uuid().size(), 16u);
  EXPECT_EQ(static_cast<unsigned char>(status.uuid()[6]) >> 4, 4);  // version 4
}

TEST_F(ProtocolTest, ARepeatedLaunchIsIgnoredAlsoBehindTheEnd) {
  RunTask(TaskOf("t"));
  EXPECT_THAT(Do(Launch{{TaskOf("t")}}), IsEmpty());
  Do(WorkEnded{.task = "t", .ok = true});
  Acknowledge();
  EXPECT_THAT(Do(Launch{{TaskOf("t")}}), IsEmpty());
}

TEST_F(ProtocolTest, ABareCommandLeavesWhenItsLastUpdateIsAcknowledged) {
  RunTask(CommandTaskOf("t"));
  EXPECT_THAT(Do(WorkEnded{.task = "t", .message = "Command exited with status 3"}),
              ElementsAre("t FAILED: Command exited with status 3"));
  EXPECT_THAT(Acknowledge(), ElementsAre("exit 0"));
  EXPECT_EQ(protocol_.NextTimer(), std::nullopt);
}

TEST_F(ProtocolTest, WithoutAnAcknowledgementItLeavesAfterAMinute) {
  RunTask(CommandTaskOf("t"));
  Do(WorkEnded{.task = "t", .ok = true});
  EXPECT_THAT(Wait(milliseconds(59'999)), IsEmpty());
  EXPECT_THAT(Wait(milliseconds(1)), ElementsAre("exit 0"));
}

TEST_F(ProtocolTest, WhileTheAgentIsAwayItKeepsTheEndAndStays) {
  RunTask(CommandTaskOf("t"));
  Do(Disconnected{});
  EXPECT_THAT(Do(WorkEnded{.task = "t", .ok = true}), IsEmpty());
  EXPECT_THAT(Wait(seconds(600)), IsEmpty());
  EXPECT_THAT(protocol_.Subscribe().unacknowledged_updates, SizeIs(1));
  EXPECT_THAT(Do(Subscribed{}), IsEmpty()) << "the subscription has told it";
  EXPECT_THAT(Wait(seconds(59)), IsEmpty());
  EXPECT_THAT(Wait(seconds(1)), ElementsAre("exit 0"));
}

TEST_F(ProtocolTest, AnAgentThatIsGoneForGoodEndsIt) {
  RunTask(CommandTaskOf("t"));
  Do(Disconnected{});
  Do(WorkEnded{.task = "t", .ok = true});
  EXPECT_THAT(Do(Disconnected{.final = true}), ElementsAre("exit 0"));
}

TEST_F(ProtocolTest, AKillIsGentleFirstAndForcedBehindTheGrace) {
  TaskInfo task = TaskOf("t");
  task.mutable_kill_policy()->mutable_grace_period()->set_nanoseconds(1'000'000'000);
  RunTask(task);
  EXPECT_THAT(Do(Kill{"t"}), ElementsAre("t KILLING", "stop t"));
  EXPECT_THAT(Wait(milliseconds(999)), IsEmpty());
  EXPECT_THAT(Wait(milliseconds(1)), ElementsAre("force t"));
  EXPECT_THAT(Do(Kill{"t"}), IsEmpty());
  EXPECT_THAT(
      Do(WorkEnded{.task = "t", .ok = true, .message = "Command terminated with signal Killed"}),
      ElementsAre("t KILLED: Command terminated with signal Killed"));
}

TEST_F(ProtocolTest, ALaterKillMayShortenTheGraceButNeverLengthenIt) {
  struct Case {
    Duration first, second;
    Duration forced_after;
  };
  for (const Case& c : {Case{seconds(4), seconds(1), seconds(1)},
                        {seconds(1), seconds(4), seconds(1)},
                        {seconds(4), seconds(0), seconds(0)}}) {
    protocol_ = Protocol({.executor_id = "e1"}, 7);
    RunTask(TaskOf("t"));
    Do(Kill{"t", c.first});
    Lines lines = Do(Kill{"t", c.second});
    if (c.forced_after > Duration::zero()) {
      EXPECT_THAT(Wait(c.forced_after - milliseconds(1)), IsEmpty());
      lines = Wait(milliseconds(1));
    }
    EXPECT_THAT(lines, ElementsAre("force t"));
  }
}

TEST_F(ProtocolTest, ABareCommandLooksAtItsOwnPolicyAlone) {
  RunTask(CommandTaskOf("t"));
  EXPECT_THAT(Do(Kill{"t", seconds(0)}), ElementsAre("t KILLING", "stop t"));
  EXPECT_THAT(Wait(seconds(3)), ElementsAre("force t"));
}

TEST_F(ProtocolTest, WithoutTheCapabilityThereIsNoKillingState) {
  Do(Subscribed{false});
  Do(Launch{{TaskOf("t")}});
  EXPECT_THAT(Do(Kill{"t"}), ElementsAre("stop t"));
}

TEST_F(ProtocolTest, AKillOfWhatIsNotThereIsIgnored) {
  RunTask(TaskOf("t"));
  EXPECT_THAT(Do(Kill{"unknown"}), IsEmpty());
  Do(WorkEnded{.task = "t", .ok = true});
  EXPECT_THAT(Do(Kill{"t"}), IsEmpty());
  EXPECT_THAT(Do(WorkEnded{.task = "t", .ok = true}), IsEmpty());
}

TEST_F(ProtocolTest, MaxCompletionTimeFailsTheTaskWithItsReason) {
  TaskInfo task = CommandTaskOf("t");
  task.mutable_max_completion_time()->set_nanoseconds(1'000'000'000);
  task.mutable_kill_policy()->mutable_grace_period()->set_nanoseconds(600'000'000'000);
  RunTask(task);
  EXPECT_THAT(Wait(seconds(1)), ElementsAre("stop t"));
  EXPECT_THAT(Wait(seconds(1)), ElementsAre("force t")) << "whatever its kill policy says";
  EXPECT_THAT(Do(WorkEnded{.task = "t", .message = "Command terminated with signal Terminated"}),
              ElementsAre("t FAILED reason=33: Command terminated with signal Terminated"));
}

TEST_F(ProtocolTest, WhoeverIsToldToEndHasItsGraceBehindMaxCompletionTime) {
  TaskInfo task = TaskOf("t");
  task.mutable_max_completion_time()->set_nanoseconds(1'000'000'000);
  RunTask(task);
  EXPECT_THAT(Do(Kill{"t", seconds(60)}), ElementsAre("t KILLING", "stop t"));
  Acknowledge();
  EXPECT_THAT(Wait(seconds(59)), IsEmpty());
  EXPECT_THAT(Wait(seconds(1)), ElementsAre("force t"));
}

TEST_F(ProtocolTest, NoTimeIsNoLimit) {
  TaskInfo task = CommandTaskOf("t");
  task.mutable_max_completion_time()->set_nanoseconds(0);
  RunTask(task);
  EXPECT_THAT(Wait(seconds(600)), IsEmpty());
}

TEST_F(ProtocolTest, WhatTheHealthCheckSaidStaysInLaterUpdates) {
  RunTask(CommandTaskOf("t"));
  Do(WorkHealth{"t", false});
  CheckStatusInfo status;
  status.set_type(CheckInfo::TCP);
  EXPECT_THAT(Do(WorkChecked{"t", status}), ElementsAre("t RUNNING reason=28 healthy=0 exit=-1"));
  Acknowledge();
  Do(WorkProgress{"t", "1"});
  EXPECT_THAT(Wait(seconds(1)), ElementsAre("t RUNNING healthy=0 exit=-1 data=1"));
}

TEST_F(ProtocolTest, HealthIsToldAndTooMuchSicknessKills) {
  RunTask(CommandTaskOf("t"));
  EXPECT_THAT(Do(WorkHealth{"t", true}), ElementsAre("t RUNNING reason=29 healthy=1"));
  EXPECT_THAT(Do(WorkHealth{"t", false}), ElementsAre("t RUNNING reason=29 healthy=0"));
  EXPECT_THAT(Do(WorkHealth{"t", false, true}),
              ElementsAre("t RUNNING reason=29 healthy=0", "t KILLING", "stop t"));
  EXPECT_THAT(Do(WorkHealth{"t", false, true}), IsEmpty());
  EXPECT_THAT(Do(WorkEnded{.task = "t", .message = "Command terminated with signal Terminated"}),
              ElementsAre("t KILLED healthy=0: Command terminated with signal Terminated"));
}

TEST_F(ProtocolTest, EveryStatusOfACheckedTaskCarriesTheCheck) {
  TaskInfo task = CommandTaskOf("t");
  task.mutable_check()->set_type(mesos::v1::CheckInfo::COMMAND);
  Do(Subscribed{});
  EXPECT_THAT(Do(Launch{{task}}), ElementsAre("t STARTING exit=-1", "start t"));
  EXPECT_THAT(Do(WorkStarted{"t"}), ElementsAre("t RUNNING exit=-1"));
  mesos::v1::CheckStatusInfo status;
  status.set_type(mesos::v1::CheckInfo::COMMAND);
  status.mutable_command()->set_exit_code(2);
  EXPECT_THAT(Do(WorkChecked{"t", status}), ElementsAre("t RUNNING reason=28 exit=2"));
  EXPECT_THAT(Do(WorkEnded{.task = "t", .ok = true}), ElementsAre("t FINISHED exit=2"));
}

TEST_F(ProtocolTest, ProgressGoesOutOnceASecondAndIsTheNewest) {
  RunTask(TaskOf("t"));
  EXPECT_THAT(Do(WorkProgress{"t", "1"}), IsEmpty());
  EXPECT_THAT(Do(WorkProgress{"t", "2"}), IsEmpty());
  EXPECT_THAT(Wait(seconds(1)), ElementsAre("t RUNNING data=2"));
  EXPECT_THAT(Do(WorkProgress{"t", "3"}), IsEmpty());
  EXPECT_THAT(Wait(seconds(5)), IsEmpty());  // the one before is not acknowledged
  EXPECT_THAT(Acknowledge(), ElementsAre("t RUNNING data=3"));
}

TEST_F(ProtocolTest, AServerThatComesUpIsToldAtOnce) {
  RunTask(TaskOf("t"));
  EXPECT_THAT(Do(WorkProgress{"t", "listens", true}),
              ElementsAre("t RUNNING healthy=1 data=listens"));
  EXPECT_THAT(Do(WorkProgress{"t", "again", true}), IsEmpty());
}

TEST_F(ProtocolTest, WhatIsNotAcknowledgedGoesIntoTheNextSubscription) {
  Do(Subscribed{});
  Do(Launch{{CommandTaskOf("a"), CommandTaskOf("b")}});
  Acknowledge();
  Do(Launch{{CommandTaskOf("c")}});
  Do(WorkStarted{"a"});
  EXPECT_THAT(Do(Disconnected{}), IsEmpty());
  EXPECT_THAT(Do(WorkEnded{.task = "a", .ok = true}), IsEmpty());
  auto subscription = protocol_.Subscribe();
  Lines tasks, updates;
  for (const auto& task : subscription.unacknowledged_tasks)
    tasks.push_back(task.task_id().value());
  for (const auto& status : subscription.unacknowledged_updates) {
    updates.push_back(status.task_id().value() + " " + Text(status));
  }
  EXPECT_THAT(tasks, ElementsAre("c"));
  EXPECT_THAT(updates, ElementsAre("a RUNNING", "a FINISHED", "c STARTING"));
  // What came up behind the call is sent when the stream is open.
  Do(WorkStarted{"b"});
  EXPECT_THAT(Do(Subscribed{}), ElementsAre("b RUNNING"));
}

TEST_F(ProtocolTest, UpdatesThatTheAgentCouldNotTakeAreSentAgainInTheirOrder) {
  Do(Subscribed{});
  Do(Launch{{CommandTaskOf("t")}});
  EXPECT_THAT(Do(UpdateRefused{"t"}), IsEmpty());
  EXPECT_THAT(Do(WorkStarted{"t"}), IsEmpty());
  EXPECT_THAT(Wait(seconds(1)), ElementsAre("t STARTING", "t RUNNING"));
}

TEST_F(ProtocolTest, ShutdownStopsAllAndExitsWhenAllIsAcknowledged) {
  Do(Subscribed{true});
  Do(Launch{{TaskOf("a"), TaskOf("b")}});
  EXPECT_THAT(Do(Shutdown{}), ElementsAre("stop a", "stop b"));
  Do(WorkEnded{.task = "a"});
  EXPECT_THAT(Wait(milliseconds(2500)), ElementsAre("force b"));
  EXPECT_THAT(Do(WorkEnded{.task = "b"}), ElementsAre("b KILLED"));
  EXPECT_THAT(Do(Launch{{TaskOf("c")}}), ElementsAre("c KILLED"));
  EXPECT_THAT(Acknowledge(), ElementsAre("exit 0"));
}

TEST_F(ProtocolTest, ShutdownEndsWithTheGraceWhateverTheWorkDoes) {
  RunTask(TaskOf("a"));
  Do(Shutdown{});
  EXPECT_THAT(Wait(seconds(5)), ElementsAre("force a", "exit 0"));
}

TEST_F(ProtocolTest, AnAgentLostForGoodEndsTheExecutorWithItsWork) {
  RunTask(TaskOf("a"));
  EXPECT_THAT(Do(Disconnected{false}), IsEmpty());
  EXPECT_THAT(Do(Disconnected{true}), ElementsAre("stop a"));
  EXPECT_THAT(Do(WorkEnded{.task = "a"}), ElementsAre("exit 0"));
}

TEST_F(ProtocolTest, AnUnusedExecutorWaitsUnlessItIsShutDown) {
  protocol_.LeaveWhenDone();
  EXPECT_THAT(Do(Subscribed{}), IsEmpty());
  EXPECT_THAT(Do(Shutdown{}), ElementsAre("exit 0"));
}

TEST_F(ProtocolTest, AGroupEndsTogetherWhenOneMemberFails) {
  Do(Subscribed{true});
  Do(Launch{{TaskOf("a"), TaskOf("b"), TaskOf("c")}, true});
  Do(Launch{{TaskOf("other")}});
  Do(WorkEnded{.task = "a", .ok = true});
  EXPECT_THAT(Do(WorkEnded{.task = "b"}), ElementsAre("b FAILED", "c KILLING", "stop c"));
  EXPECT_THAT(Do(WorkEnded{.task = "c"}), ElementsAre("c KILLED"));
}

class DefaultExecutorTest : public ProtocolTest {
 protected:
  // The group "a", "b" and the group "c", all running and acknowledged.
  void RunGroups() {
    Do(Subscribed{true, "pod"});
    Do(Launch{{CommandTaskOf("a"), CommandTaskOf("b")}, true});
    Do(Launch{{CommandTaskOf("c")}, true});
    for (const char* task : {"a", "b", "c"}) Do(WorkStarted{task});
    Acknowledge();
  }
};

TEST_F(DefaultExecutorTest, WhatTheEndOfATaskMeansToItsGroup) {
  struct Case {
    const char* claim;
    Input first;
    Lines told, ended;  // then, and when "a" has ended
  };
  const WorkEnded well{.task = "a", .ok = true};
  const WorkEnded badly{.task = "a"};
  const Case cases[] = {
      {"one that ends well ends alone", well, {"a FINISHED"}, {}},
      {"one that fails takes the others along", badly, {"a FAILED", "b KILLING", "stop b"}, {}},
      {"one that is killed does so when it has ended",
       Kill{"a"},
       {"a KILLING", "stop a"},
       {"a KILLED", "b KILLING", "stop b"}},
      {"the policy of the call comes before that of the task",
       Kill{"a", Duration::zero()},
       {"a KILLING", "force a"},
       {"a KILLED", "b KILLING", "stop b"}},
      {"one that is unhealthy is killed",
       WorkHealth{"a", false, true},
       {"a RUNNING reason=29 healthy=0", "a KILLING", "stop a"},
       {"a KILLED healthy=0", "b KILLING", "stop b"}},
      {"a shutdown is told to all",
       Shutdown{},
       {"a KILLING", "stop a", "b KILLING", "stop b", "c KILLING", "stop c"},
       {"a KILLED"}}};
  for (const Case& each : cases) {
    protocol_ = Protocol({.executor_id = "e1"}, 7);
    RunGroups();
    EXPECT_EQ(Do(each.first), each.told) << each.claim;
    EXPECT_EQ(Do(badly), each.ended) << each.claim;
  }
}

TEST_F(DefaultExecutorTest, WhoIsBeingKilledKeepsTheTimeOfThatCall) {
  RunGroups();
  Do(Kill{"b", seconds(20)});
  EXPECT_THAT(Do(WorkEnded{.task = "a"}), ElementsAre("a FAILED"));
  EXPECT_THAT(Wait(seconds(19)), IsEmpty());
  EXPECT_THAT(Wait(seconds(1)), ElementsAre("force b"));
}

TEST_F(ProtocolTest, WhatStartsBehindItsKillIsNotToldToRun) {
  Do(Subscribed{true});
  Do(Launch{{CommandTaskOf("t")}});
  EXPECT_THAT(Do(Kill{"t"}), ElementsAre("t KILLING", "stop t"));
  EXPECT_THAT(Do(WorkStarted{"t"}), IsEmpty());
  EXPECT_THAT(Do(WorkEnded{.task = "t"}), ElementsAre("t KILLED"));
}

TEST_F(DefaultExecutorTest, ATaskThatTakesTooLongEndsByForce) {
  Do(Subscribed{true, "pod"});
  TaskInfo task = CommandTaskOf("a");
  task.mutable_max_completion_time()->set_nanoseconds(1'000'000'000);
  Do(Launch{{task}, true});
  Do(WorkStarted{"a"});
  EXPECT_THAT(Wait(seconds(1)), ElementsAre("force a"));
  EXPECT_THAT(Do(WorkEnded{.task = "a"}), ElementsAre("a FAILED reason=33"));
}

TEST_F(DefaultExecutorTest, ItLeavesBehindTheLastTaskOfAllGroups) {
  RunGroups();
  Do(WorkEnded{.task = "a", .ok = true});
  Do(WorkEnded{.task = "b", .ok = true});
  EXPECT_THAT(Acknowledge(), IsEmpty());
  Do(WorkEnded{.task = "c", .ok = true});
  EXPECT_THAT(Acknowledge(), ElementsAre("exit 0"));
}

TEST_F(DefaultExecutorTest, ItWaitsForAcknowledgementsAMinuteAndForANewGroupAsLongAsThatTakes) {
  RunGroups();
  for (const char* task : {"a", "b", "c"}) Do(WorkEnded{.task = task, .ok = true});
  EXPECT_THAT(Wait(seconds(59)), IsEmpty());
  EXPECT_THAT(Do(Launch{{CommandTaskOf("d")}, true}), ElementsAre("d STARTING", "start d"));
  EXPECT_THAT(Wait(seconds(600)), IsEmpty());
  EXPECT_THAT(Do(WorkEnded{.task = "d", .ok = true}), ElementsAre("d FINISHED"));
  EXPECT_THAT(Wait(seconds(60)), ElementsAre("exit 0"));
}

TEST_F(DefaultExecutorTest, AnIdMayBeUsedAgainWhenItsTaskIsOver) {
  RunGroups();
  EXPECT_THAT(Do(Launch{{CommandTaskOf("a")}, true}), IsEmpty());
  Do(WorkEnded{.task = "a", .ok = true});
  Acknowledge();
  EXPECT_THAT(Do(Launch{{CommandTaskOf("a")}, true}), ElementsAre("a STARTING", "start a"));
}

// As a real agent asks for the state of that container.
TEST_F(DefaultExecutorTest, StatusesTellTheContainerAndItsProcessWhileItRuns) {
  Do(Subscribed{true, "pod"});
  const auto effects = protocol_.On(Launch{{CommandTaskOf("a")}, true}, now_);
  const std::string container = std::get<StartWork>(effects.at(1)).container;
  sent_.push_back(std::get<SendUpdate>(effects.at(0)).status);
  Do(WorkStarted{.task = "a", .data = {}, .pid = 42});
  Do(Kill{"a"});
  Do(WorkEnded{.task = "a"});
  Lines lines;
  for (const TaskStatus& status : sent_) {
    EXPECT_EQ(status.container_status().container_id().value(), container);
    EXPECT_EQ(status.container_status().container_id().parent().value(), "pod");
    lines.push_back(fmt::format("{} {}", Text(status), status.container_status().executor_pid()));
  }
  EXPECT_THAT(lines, ElementsAre("STARTING 0", "RUNNING 42", "KILLING 42", "KILLED 0"));
  EXPECT_EQ(container.size(), 36u);
}

}  // namespace
}  // namespace kiln::executor
