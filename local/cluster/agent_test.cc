#include "local/cluster/agent.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace kiln::local {
namespace {

using mesos::v1::TaskStatus;
using mesos::v1::executor::Call;
using mesos::v1::executor::Event;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

// What an agent did, as words: easier to compare than protobuf messages.
std::string Word(const AgentAction& action) {
  struct Words {
    std::string operator()(const SendToMaster& it) const {
      if (const auto* update = std::get_if<StatusUpdate>(&it.message)) {
        return "master:" + update->status.task_id().value() + " " +
               mesos::v1::TaskState_Name(update->status.state()) + " " +
               mesos::v1::TaskState_Name(update->latest_state) +
               (update->status.has_reason() ? " " + TaskStatus::Reason_Name(update->status.reason())
                                            : "") +
               (update->status.message().empty() ? "" : " " + update->status.message());
      }
      if (const auto* exited = std::get_if<ExitedExecutor>(&it.message)) {
        return "master:exited " + exited->executor_id.value() + " " +
               std::to_string(exited->status);
      }
      if (const auto* text = std::get_if<ExecutorToFramework>(&it.message)) {
        return "master:message " + text->data;
      }
      static constexpr const char* kNames[] = {"register", "reregister", "unregister", "pong",
                                               "update",   "exited",     "message",    "operation"};
      return std::string("master:") + kNames[it.message.index()];
    }
    std::string operator()(const LaunchContainer& it) const {
      return "launch " + it.key.executor_id;
    }
    std::string operator()(const UpdateContainer& it) const {
      return "resources " + it.key.executor_id + " " + std::to_string(it.share.milli_cpus / 1000);
    }
    std::string operator()(const DestroyContainer& it) const {
      return "destroy " + it.key.executor_id;
    }
    std::string operator()(const SendEvent& it) const {
      std::string word =
          "event " + std::to_string(it.stream) + " " + Event::Type_Name(it.event.type());
      if (it.event.has_launch()) word += " " + it.event.launch().task().task_id().value();
      if (it.event.has_kill()) word += " " + it.event.kill().task_id().value();
      return word;
    }
    std::string operator()(const CloseStream& it) const {
      return "close " + std::to_string(it.stream);
    }
    std::string operator()(const SaveAgent&) const { return "save agent"; }
    std::string operator()(const SaveFramework&) const { return "save framework"; }
    std::string operator()(const SaveExecutor&) const { return "save executor"; }
    std::string operator()(const SaveTask& it) const {
      return "save task " + it.task.task_id().value();
    }
    std::string operator()(const SaveUpdate& it) const {
      return "save update " + it.status.task_id().value();
    }
    std::string operator()(const SaveAcknowledgement& it) const {
      return "save acknowledgement " + it.task_id;
    }
    std::string operator()(const SaveEnd&) const { return "save end"; }
    std::string operator()(const SaveResources& it) const {
      return "save resources " + std::to_string(it.resources.size()) + " and operations " +
             std::to_string(it.operations.size());
    }
    std::string operator()(const ForgetAgent&) const { return "forget agent"; }
    std::string operator()(const Exit&) const { return "exit"; }
  };
  return std::visit(Words{}, action);
}

class AgentTest : public testing::Test {
 protected:
  static constexpr const char* kFramework = "f";

  static AgentOptions Options() {
    AgentOptions options;
    options.pid = "slave(1)@127.0.0.1:5051";
    options.info.set_hostname("agent1.test");
    options.registration_backoff_factor = milliseconds(10);
    options.executor_registration_timeout = seconds(2);
    options.command_executor = "/opt/mesos-executor";
    return options;
  }
  static Random Seed() { return Random(7); }

  std::vector<std::string> Words() {
    std::vector<std::string> words;
    for (const AgentAction& action : agent_.TakeActions()) {
      if (const auto* launch = std::get_if<LaunchContainer>(&action)) key_ = launch->key;
      if (const auto* send = std::get_if<SendToMaster>(&action)) {
        if (const auto* update = std::get_if<StatusUpdate>(&send->message)) {
          uuid_ = update->status.uuid();
        }
      }
      words.push_back(Word(action));
    }
    return words;
  }

  void Registered() {
    agent_.Start(now_);
    now_ = now_ + milliseconds(10);
    agent_.Tick(now_);
    EXPECT_THAT(Words(), ElementsAre("master:register"));
    AgentRegistered message;
    message.agent_id.set_value("a");
    message.total_ping_timeout = seconds(75);
    agent_.FromMaster(now_, message);
    EXPECT_THAT(Words(), ElementsAre("save agent"));
  }

  static mesos::v1::FrameworkInfo Framework(bool checkpoint = false) {
    mesos::v1::FrameworkInfo info;
    info.set_user("root");
    info.set_name("test");
    info.mutable_id()->set_value(kFramework);
    info.set_checkpoint(checkpoint);
    info.add_capabilities()->set_type(mesos::v1::FrameworkInfo::Capability::PARTITION_AWARE);
    return info;
  }
  static mesos::v1::TaskInfo Task(const std::string& id, const std::string& executor) {
    mesos::v1::TaskInfo task;
    task.set_name(id);
    task.mutable_task_id()->set_value(id);
    task.mutable_agent_id()->set_value("a");
    auto* cpus = task.add_resources();
    cpus->set_name("cpus");
    cpus->set_type(mesos::v1::Value::SCALAR);
    cpus->mutable_scalar()->set_value(1);
    if (executor.empty()) {
      task.mutable_command()->set_value("echo hello from the task");
    } else {
      task.mutable_executor()->mutable_executor_id()->set_value(executor);
      task.mutable_executor()->mutable_framework_id()->set_value(kFramework);
    }
    return task;
  }
  void RunTaskOn(const std::string& id, const std::string& executor, bool launch = true,
                 bool checkpoint = false) {
    agent_.FromMaster(now_, RunTask{Framework(checkpoint), Task(id, executor), launch});
  }
  static Call ExecutorCall(Call::Type type, const std::string& executor = "e") {
    Call call;
    call.mutable_executor_id()->set_value(executor);
    call.mutable_framework_id()->set_value(kFramework);
    call.set_type(type);
    if (type == Call::SUBSCRIBE) call.mutable_subscribe();
    return call;
  }
  static Call Update(const std::string& task, mesos::v1::TaskState state, char serial) {
    Call call = ExecutorCall(Call::UPDATE);
    auto* status = call.mutable_update()->mutable_status();
    status->mutable_task_id()->set_value(task);
    status->set_state(state);
    status->set_source(TaskStatus::SOURCE_EXECUTOR);
    std::string uuid(16, '\0');
    uuid[6] = 0x40;
    uuid[15] = serial;
    status->set_uuid(uuid);
    return call;
  }
  void Acknowledge(const std::string& task) {
    StatusUpdateAcknowledgement message;
    message.framework_id.set_value(kFramework);
    message.task_id.set_value(task);
    message.uuid = uuid_;
    agent_.FromMaster(now_, message);
  }
  void Kill(const std::string& task) {
    KillTask message;
    message.framework_id.set_value(kFramework);
    message.task_id.set_value(task);
    agent_.FromMaster(now_, message);
  }
  // One task runs on executor "e", stream 1.
  void Running(bool checkpoint = false) {
    Registered();
    RunTaskOn("t1", "e", true, checkpoint);
    Words();
    agent_.ContainerStarted(key_, 42);
    agent_.Subscribe(now_, ExecutorCall(Call::SUBSCRIBE), 1);
    EXPECT_THAT(Words(), ElementsAre("event 1 SUBSCRIBED", "resources e 1", "event 1 LAUNCH t1"));
    agent_.Handle(now_, Update("t1", mesos::v1::TASK_RUNNING, 1));
    Words();
    Acknowledge("t1");
    Words();
  }

  Instant now_{1'000'000'000'000};
  Agent agent_{Options(), Seed()};
  RunKey key_;
  std::string uuid_;
};

TEST_F(AgentTest, RegistersAgainAndAgainUntilItIsHeard) {
  agent_.Start(now_);
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(agent_.NextDeadline());
    now_ = *agent_.NextDeadline();
    agent_.Tick(now_);
    EXPECT_THAT(Words(), ElementsAre("master:register"));
  }
}

TEST_F(AgentTest, RegistersAgainWithItsIdWhenTheMasterFallsSilent) {
  Registered();
  agent_.FromMaster(now_ + seconds(10), Ping{});
  EXPECT_THAT(Words(), ElementsAre("master:pong"));
  now_ = now_ + seconds(86);
  agent_.Tick(now_);
  agent_.Tick(*agent_.NextDeadline());
  EXPECT_THAT(Words(), ElementsAre("master:reregister"));
}

TEST_F(AgentTest, WhoHasBorrowedEndsWhenTheAgentTakesItBack) {
  Running();
  agent_.TakeBack();
  EXPECT_THAT(Words(), IsEmpty());
  mesos::v1::TaskInfo lent = Task("t2", "lent");
  lent.mutable_resources(0)->mutable_revocable();
  agent_.FromMaster(now_, RunTask{Framework(), lent, true});
  Words();
  agent_.TakeBack();
  EXPECT_THAT(Words(), ElementsAre("destroy lent"));
  agent_.TakeBack();
  EXPECT_THAT(Words(), IsEmpty());
  agent_.ContainerEnded(now_, key_, {.status = 9});
  EXPECT_THAT(Words(), ElementsAre("master:exited lent 9",
                                   "master:t2 TASK_GONE TASK_GONE REASON_CONTAINER_PREEMPTED "
                                   "Container preempted by QoS correction"));
  EXPECT_EQ(agent_.counts().executors_preempted, 1);
}

TEST_F(AgentTest, ATaskRunsOnItsExecutor) {
  Running();
  agent_.Handle(now_, Update("t1", mesos::v1::TASK_FINISHED, 2));
  EXPECT_THAT(Words(), ElementsAre("resources e 0", "master:t1 TASK_FINISHED TASK_FINISHED",
                                   "event 1 ACKNOWLEDGED"));
  Acknowledge("t1");
  EXPECT_THAT(agent_.GetTasks().completed_tasks_size(), 1);
  agent_.ContainerEnded(now_, key_, {.status = 0});
  EXPECT_THAT(Words(), ElementsAre("master:exited e 0"));
  EXPECT_THAT(agent_.frameworks(), IsEmpty());
  EXPECT_EQ(agent_.GetFrameworks().completed_frameworks_size(), 1);
}

TEST_F(AgentTest, ASecondTaskGoesToTheRunningExecutor) {
  Running();
  RunTaskOn("t2", "e", false);
  EXPECT_THAT(Words(), ElementsAre("resources e 2", "event 1 LAUNCH t2"));
}

TEST_F(AgentTest, LaterUpdatesWaitForTheAcknowledgementButTheNewestStateIsTold) {
  Running();
  agent_.Handle(now_, Update("t1", mesos::v1::TASK_KILLING, 2));
  agent_.Handle(now_, Update("t1", mesos::v1::TASK_KILLED, 3));
  EXPECT_THAT(Words(), ElementsAre("master:t1 TASK_KILLING TASK_KILLING", "event 1 ACKNOWLEDGED",
                                   "resources e 0", "event 1 ACKNOWLEDGED"));
  agent_.Tick(now_ + seconds(9));
  EXPECT_THAT(Words(), IsEmpty());
  agent_.Tick(now_ + seconds(10));
  EXPECT_THAT(Words(), ElementsAre("master:t1 TASK_KILLING TASK_KILLED"));
  Acknowledge("t1");
  EXPECT_THAT(Words(), ElementsAre("master:t1 TASK_KILLED TASK_KILLED"));
}

TEST_F(AgentTest, AnUpdateBehindTheTerminalOneIsTakenFromTheExecutorAndDropped) {
  Running();
  agent_.Handle(now_, Update("t1", mesos::v1::TASK_FINISHED, 2));
  Words();
  agent_.Handle(now_, Update("t1", mesos::v1::TASK_RUNNING, 3));
  EXPECT_THAT(Words(), ElementsAre("event 1 ACKNOWLEDGED"));
  Acknowledge("t1");
  agent_.Handle(now_, Update("t1", mesos::v1::TASK_RUNNING, 4));
  EXPECT_THAT(Words(), ElementsAre("master:t1 TASK_RUNNING TASK_RUNNING"));
}

TEST_F(AgentTest, AContainerInsideTheExecutorsIsToldAsTheExecutorSays) {
  Running();
  const auto told = [&](char serial, uint32_t pid) {
    Call call = Update("t1", mesos::v1::TASK_KILLING, serial);
    auto* container = call.mutable_update()->mutable_status()->mutable_container_status();
    container->mutable_container_id()->set_value("inner");
    container->mutable_container_id()->mutable_parent()->set_value(key_.container_id);
    if (pid != 0) container->set_executor_pid(pid);
    agent_.Handle(now_, call);
    Words();
    Acknowledge("t1");
    Words();
    const auto& framework = agent_.frameworks().at(kFramework);
    const auto& kept = *framework.executors.at("e").launched.at("t1").statuses().rbegin();
    const auto& status = kept.container_status();
    EXPECT_EQ(status.container_id().value(), "inner");
    EXPECT_EQ(status.container_id().parent().value(), key_.container_id);
    return std::pair(status.executor_pid(), status.network_infos_size());
  };
  EXPECT_EQ(told(2, 77), std::pair(77u, 1));
  EXPECT_EQ(told(3, 0), std::pair(0u, 0));
}

TEST_F(AgentTest, TasksOfAnExecutorThatEndsFail) {
  Running();
  agent_.ContainerEnded(now_, key_, {.status = 256});
  EXPECT_THAT(Words(), ElementsAre("master:exited e 256",
                                   "master:t1 TASK_FAILED TASK_FAILED REASON_EXECUTOR_TERMINATED "
                                   "Executor terminated"));
  RunTaskOn("t2", "e");
  EXPECT_THAT(Words(),
              ElementsAre("master:exited e -1",
                          "master:t2 TASK_DROPPED TASK_DROPPED REASON_EXECUTOR_TERMINATED Master "
                          "wants to launch executor, but one already exists"));
}

TEST_F(AgentTest, ALimitThatWasHitIsTheReason) {
  Running();
  agent_.ContainerEnded(now_, key_,
                        {.status = 9,
                         .reason = TaskStatus::REASON_CONTAINER_LIMITATION_MEMORY,
                         .message = "Memory limit exceeded"});
  EXPECT_THAT(Words(),
              ElementsAre("master:exited e 9",
                          "master:t1 TASK_FAILED TASK_FAILED REASON_CONTAINER_LIMITATION_MEMORY "
                          "Memory limit exceeded"));
}

TEST_F(AgentTest, AContainerThatDoesNotStartFailsItsTask) {
  Registered();
  RunTaskOn("t1", "");
  EXPECT_THAT(Words(), ElementsAre("launch t1"));
  agent_.LaunchFailed(now_, key_, "no disk");
  EXPECT_THAT(Words(),
              ElementsAre("master:t1 TASK_FAILED TASK_FAILED REASON_CONTAINER_LAUNCH_FAILED "
                          "Failed to launch container: no disk"));
}

TEST_F(AgentTest, AnExecutorThatDoesNotSubscribeInTimeIsDestroyed) {
  Registered();
  RunTaskOn("t1", "e");
  EXPECT_THAT(Words(), ElementsAre("launch e"));
  agent_.Tick(now_ + seconds(2));
  EXPECT_THAT(Words(), ElementsAre("destroy e"));
  agent_.ContainerEnded(now_, key_, {.status = 9});
  EXPECT_THAT(Words(),
              ElementsAre("master:exited e 9",
                          "master:t1 TASK_FAILED TASK_FAILED REASON_EXECUTOR_REGISTRATION_TIMEOUT "
                          "Executor did not register within 2secs"));
}

TEST_F(AgentTest, ATaskKilledBeforeItsExecutorSubscribesIsNotDelivered) {
  Registered();
  RunTaskOn("t1", "e");
  Words();
  Kill("t1");
  EXPECT_THAT(Words(),
              ElementsAre("master:t1 TASK_KILLED TASK_KILLED REASON_TASK_KILLED_DURING_LAUNCH "
                          "Killed before delivery to the executor"));
  agent_.Subscribe(now_, ExecutorCall(Call::SUBSCRIBE), 1);
  EXPECT_THAT(Words(), ElementsAre("event 1 SHUTDOWN"));
}

TEST_F(AgentTest, AKillOfATaskThatNoExecutorHasDropsIt) {
  Running();
  Kill("ghost");
  EXPECT_THAT(Words(), ElementsAre("master:ghost TASK_DROPPED TASK_DROPPED "
                                   "REASON_EXECUTOR_TERMINATED Cannot find executor"));
}

TEST_F(AgentTest, ASecondSubscriptionEndsTheFirst) {
  Running();
  agent_.Subscribe(now_, ExecutorCall(Call::SUBSCRIBE), 2);
  EXPECT_THAT(Words(), ElementsAre("close 1", "event 2 SUBSCRIBED"));
}

TEST_F(AgentTest, AnExecutorThatIgnoresShutdownIsDestroyedAfterTheGracePeriod) {
  Running();
  ShutdownExecutor message;
  message.framework_id.set_value(kFramework);
  message.executor_id.set_value("e");
  agent_.FromMaster(now_, message);
  EXPECT_THAT(Words(), ElementsAre("event 1 SHUTDOWN"));
  agent_.Tick(now_ + seconds(5));
  EXPECT_THAT(Words(), ElementsAre("destroy e"));
}

TEST_F(AgentTest, UpdatesOfATornDownFrameworkAreDropped) {
  Running();
  ShutdownFramework message;
  message.framework_id.set_value(kFramework);
  agent_.FromMaster(now_, message);
  EXPECT_THAT(Words(), ElementsAre("event 1 SHUTDOWN"));
  agent_.Handle(now_, Update("t1", mesos::v1::TASK_KILLED, 2));
  EXPECT_THAT(Words(), IsEmpty());
  agent_.ContainerEnded(now_, key_, {.status = 0});
  EXPECT_THAT(Words(), ElementsAre("master:exited e 0"));
}

TEST_F(AgentTest, DrainingKillsWithTheCappedGracePeriodAndChangesTheReason) {
  Running();
  agent_.FromMaster(now_, DrainAgent{seconds(1), true});
  auto actions = agent_.TakeActions();
  ASSERT_EQ(actions.size(), 1u);
  EXPECT_EQ(std::get<SendEvent>(actions[0]).event.kill().kill_policy().grace_period().nanoseconds(),
            1'000'000'000);
  agent_.Handle(now_, Update("t1", mesos::v1::TASK_KILLING, 2));
  EXPECT_THAT(Words(), testing::Contains("master:t1 TASK_GONE_BY_OPERATOR TASK_GONE_BY_OPERATOR "
                                         "REASON_AGENT_DRAINING"));
}

TEST_F(AgentTest, LeavesInOrder) {
  Running();
  agent_.ShutDown(now_);
  EXPECT_THAT(Words(), ElementsAre("master:unregister", "forget agent", "event 1 SHUTDOWN"));
  agent_.ContainerEnded(now_, key_, {.status = 0});
  EXPECT_THAT(Words(), ElementsAre("exit"));
}

TEST_F(AgentTest, SavesBeforeItTellsAnyone) {
  Registered();
  RunTaskOn("t1", "e", true, true);
  EXPECT_THAT(Words(), ElementsAre("save framework", "save executor", "save task t1", "launch e"));
  agent_.Subscribe(now_, ExecutorCall(Call::SUBSCRIBE), 1);
  Words();
  agent_.Handle(now_, Update("t1", mesos::v1::TASK_RUNNING, 1));
  EXPECT_THAT(Words(), ElementsAre("save update t1", "master:t1 TASK_RUNNING TASK_RUNNING",
                                   "event 1 ACKNOWLEDGED"));
}

ApplyOperation ReserveCpu() {
  ApplyOperation message;
  message.framework_id.emplace().set_value("f");
  message.operation_uuid = "o";
  message.operation.set_type(mesos::v1::Offer::Operation::RESERVE);
  message.operation.mutable_id()->set_value("op");
  auto* resource = message.operation.mutable_reserve()->add_resources();
  resource->set_name("cpus");
  resource->set_type(mesos::v1::Value::SCALAR);
  resource->mutable_scalar()->set_value(1);
  resource->mutable_allocation_info()->set_role("research");
  auto* reservation = resource->add_reservations();
  reservation->set_type(mesos::v1::Resource::ReservationInfo::DYNAMIC);
  reservation->set_role("research");
  return message;
}

TEST_F(AgentTest, AnOperationIsSavedAndToldUntilItIsAcknowledged) {
  AgentOptions options = Options();
  const auto cpus = ParseResources("cpus:1");
  *options.info.add_resources() = cpus->front();
  agent_ = Agent(options, Seed());
  Registered();
  agent_.FromMaster(now_, ReserveCpu());
  const auto actions = agent_.TakeActions();
  ASSERT_EQ(actions.size(), 2u);
  const auto& saved = std::get<SaveResources>(actions[0]);
  ASSERT_EQ(saved.resources.size(), 1u);
  EXPECT_EQ(ToText(saved.resources[0]), "cpus(reservations: [(DYNAMIC,research)]):1");
  const auto told = std::get<UpdateOperationStatus>(std::get<SendToMaster>(actions[1]).message);
  EXPECT_EQ(told.status.state(), mesos::v1::OPERATION_FINISHED);
  EXPECT_EQ(told.status.operation_id().value(), "op");

  // What cannot be had twice is refused; the master is told of both again.
  ApplyOperation again = ReserveCpu();
  again.operation_uuid = "p";
  agent_.FromMaster(now_, again);
  EXPECT_THAT(Words(), ElementsAre("save resources 1 and operations 2", "master:operation"));
  agent_.Tick(now_ + seconds(10));
  EXPECT_THAT(Words(), ElementsAre("master:operation", "master:operation"));
  agent_.Tick(now_ + seconds(29));
  EXPECT_THAT(Words(), IsEmpty());
  agent_.FromMaster(now_, AcknowledgeOperationStatus{"o", told.status.uuid().value()});
  EXPECT_THAT(Words(), ElementsAre("save resources 1 and operations 1"));

  Agent next(options, Seed());
  next.Restore(saved);
  next.Start(now_);
  next.Tick(now_ + seconds(1));
  const auto restored = next.TakeActions();
  ASSERT_EQ(restored.size(), 1u);
  const auto registration = std::get<RegisterAgent>(std::get<SendToMaster>(restored[0]).message);
  ASSERT_EQ(registration.checkpointed_resources.size(), 1u);
}

// ---- after a restart

RecoveredAgent Saved(std::optional<int32_t> pid) {
  RecoveredAgent state;
  state.id.set_value("a");
  RecoveredFramework& framework = state.frameworks.emplace_back();
  framework.info.set_user("root");
  framework.info.set_name("test");
  framework.info.mutable_id()->set_value("f");
  framework.info.set_checkpoint(true);
  RecoveredExecutor& executor = framework.executors.emplace_back();
  executor.info.mutable_executor_id()->set_value("e");
  executor.container_id = "c";
  executor.pid = pid;
  for (const char* id : {"t1", "t2"}) {
    RecoveredTask& task = executor.tasks.emplace_back();
    task.task.set_name(id);
    task.task.mutable_task_id()->set_value(id);
    task.task.mutable_agent_id()->set_value("a");
    task.task.mutable_framework_id()->set_value("f");
    task.task.set_state(mesos::v1::TASK_STAGING);
  }
  return state;
}

TEST_F(AgentTest, RecoveryLastsItsWholeTimeAndRefusesAllButSubscribe) {
  agent_.Recover(now_, Saved(42));
  EXPECT_EQ(agent_.Admit(ExecutorCall(Call::UPDATE), std::nullopt),
            (Refusal{503, "Agent has not finished recovery"}));
  EXPECT_EQ(agent_.Admit(ExecutorCall(Call::SUBSCRIBE), std::nullopt), std::nullopt);
  Call subscribe = ExecutorCall(Call::SUBSCRIBE);
  *subscribe.mutable_subscribe()->add_unacknowledged_updates() =
      Update("t1", mesos::v1::TASK_RUNNING, 1).update();
  agent_.Subscribe(now_, subscribe, 1);
  EXPECT_THAT(Words(), ElementsAre("save update t2", "resources e 0", "event 1 SUBSCRIBED",
                                   "save update t1", "event 1 ACKNOWLEDGED"));
  EXPECT_EQ(*agent_.NextDeadline(), now_ + seconds(2));
  agent_.Tick(now_ + seconds(2));
  agent_.Tick(now_ + seconds(3));
  EXPECT_THAT(Words(), ElementsAre("master:reregister"));
  AgentReregistered message;
  message.total_ping_timeout = seconds(75);
  agent_.FromMaster(now_, message);
  EXPECT_THAT(Words(), ElementsAre("master:t1 TASK_RUNNING TASK_RUNNING",
                                   "master:t2 TASK_LOST TASK_LOST REASON_AGENT_RESTARTED Task "
                                   "launched during agent restart"));
}

TEST_F(AgentTest, AnExecutorThatHasLostAllItsTasksOnTheirWayIsShutDown) {
  agent_.Recover(now_, Saved(42));
  agent_.Subscribe(now_, ExecutorCall(Call::SUBSCRIBE), 1);
  EXPECT_THAT(Words(), ElementsAre("save update t1", "resources e 0", "save update t2",
                                   "resources e 0", "event 1 SHUTDOWN"));
}

TEST_F(AgentTest, AnExecutorThatDoesNotComeBackIsDestroyed) {
  agent_.Recover(now_, Saved(42));
  agent_.Tick(now_ + seconds(2));
  EXPECT_THAT(Words(), ElementsAre("destroy e"));
}

TEST_F(AgentTest, TasksOfAnExecutorThatEndedMeanwhileFail) {
  agent_.Recover(now_, Saved(std::nullopt));
  EXPECT_THAT(Words(), ElementsAre("save update t1", "save update t2"));
  EXPECT_EQ(agent_.GetTasks().terminated_tasks_size(), 2);
}

// ---- values

TEST(AgentStateTest, ACommandExecutorIsNamedAfterItsCommand) {
  struct Case {
    bool shell;
    std::string value;
    std::vector<std::string> arguments;
    std::string name;
  };
  const Case cases[] = {
      {true, "echo hello from the task", {}, "(Command: sh -c 'echo hello f...')"},
      {true, "exit 0", {}, "(Command: sh -c 'exit 0')"},
      {false, "/bin/sh", {"sh", "-c", "exit 4"}, "(Command: [/bin/sh, sh, -c, exit 4])"},
      {false, "/bin/sh", {"sh", "-c", "exit 40000"}, "(Command: [/bin/sh, sh, -c, exit...])"},
  };
  for (const Case& it : cases) {
    mesos::v1::TaskInfo task;
    task.mutable_task_id()->set_value("t1");
    task.mutable_command()->set_shell(it.shell);
    task.mutable_command()->set_value(it.value);
    for (const auto& argument : it.arguments) task.mutable_command()->add_arguments(argument);
    const auto executor = CommandExecutor({}, task, "/opt/mesos-executor");
    EXPECT_EQ(executor.name(), "Command Executor (Task: t1) " + it.name);
    EXPECT_THAT(executor.command().arguments(),
                ElementsAre("mesos-executor", "--launcher_dir=/opt"));
  }
}

TEST(AgentStateTest, DurationsUseTheLargestWholeUnit) {
  EXPECT_EQ(DurationText(seconds(5)), "5secs");
  EXPECT_EQ(DurationText(seconds(900)), "15mins");
  EXPECT_EQ(DurationText(milliseconds(1500)), "1500ms");
  EXPECT_EQ(DurationText(Duration(0)), "0ns");
}

TEST(TaskUpdatesTest, WaitsDoubleUpToTenMinutes) {
  TaskUpdates updates;
  const TaskKey key{"f", "t"};
  TaskStatus status;
  status.set_uuid("u");
  ASSERT_EQ(updates.Add(key, status), TaskUpdates::Added::kHead);
  EXPECT_EQ(updates.Add(key, status), TaskUpdates::Added::kKnown);
  Instant now;
  updates.Sent(key, now);
  std::vector<int64_t> waits;
  for (int i = 0; i < 8; ++i) {
    const Instant due = *updates.NextDue();
    waits.push_back((due - now).count() / 1'000'000'000);
    now = due;
    EXPECT_EQ(updates.Due(now).size(), 1u);
    updates.Sent(key, now);
  }
  EXPECT_THAT(waits, ElementsAre(10, 20, 40, 80, 160, 320, 600, 600));
}

}  // namespace
}  // namespace kiln::local
