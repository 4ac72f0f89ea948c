#include "local/cluster/master.h"

#include <gmock/gmock.h>

namespace kiln::local {
namespace {

using mesos::v1::FrameworkInfo;
using mesos::v1::TaskState_Name;
using mesos::v1::scheduler::Call;
using mesos::v1::scheduler::Event;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr char kPid[] = "slave(1)@127.0.0.1:5051";

// Drives a master and keeps what it says as short lines: "f OFFERS O0", "f UPDATE t TASK_RUNNING",
// "agent RunTask t", "400 text".
class MasterTest : public testing::Test {
 protected:
  std::vector<std::string> Do(const MasterInput& input) {
    std::vector<std::string> lines;
    for (const MasterAction& action : master_->Handle(input, now_)) {
      std::visit([&](const auto& value) { Note(value, lines); }, action);
    }
    return lines;
  }
  // Lets time pass, timer by timer.
  std::vector<std::string> Wait(Duration time) {
    std::vector<std::string> lines;
    const Instant end = now_ + time;
    while (auto next = master_->NextTimer()) {
      if (*next > end) break;
      now_ = std::max(now_, *next);
      for (auto& line : Do(MasterTick{})) lines.push_back(std::move(line));
    }
    now_ = end;
    return lines;
  }

  void Note(const AnswerRequest& action, std::vector<std::string>& lines) {
    lines.push_back(std::to_string(action.status) + (action.text.empty() ? "" : " ") + action.text);
  }
  void Note(const AnswerOperator&, std::vector<std::string>& lines) { lines.push_back("200"); }
  void Note(const OpenSchedulerStream& action, std::vector<std::string>&) {
    stream_ = action.stream;
  }
  void Note(const SendToScheduler& action, std::vector<std::string>& lines) {
    const Event& event = action.event;
    std::string line = Event::Type_Name(event.type());
    if (event.has_subscribed()) id_ = event.subscribed().framework_id().value();
    for (const auto& offer : event.offers().offers()) {
      offer_ = offer.id().value();
      agent_id_ = offer.agent_id().value();
      line += " " + ToText(Resources(offer.resources()).Unallocated());
    }
    if (event.has_update()) {
      status_ = event.update().status();
      line += " " + status_.task_id().value() + " " + TaskState_Name(status_.state());
    }
    if (event.has_error()) line += " " + event.error().message();
    if (event.failure().has_executor_id()) line += " " + event.failure().executor_id().value();
    if (event.type() != Event::HEARTBEAT) lines.push_back(line);
  }
  void Note(const CloseSchedulerStream&, std::vector<std::string>& lines) {
    lines.push_back("close");
  }
  void Note(const SendToAgent& action, std::vector<std::string>& lines) {
    if (auto* message = std::get_if<AgentRegistered>(&action.message)) {
      agent_id_ = message->agent_id.value();
      lines.push_back("agent Registered");
    } else if (std::holds_alternative<AgentReregistered>(action.message)) {
      lines.push_back("agent Reregistered");
    } else if (auto* run = std::get_if<RunTask>(&action.message)) {
      lines.push_back("agent RunTask " + run->task.task_id().value());
    } else if (auto* kill = std::get_if<KillTask>(&action.message)) {
      lines.push_back("agent KillTask " + kill->task_id.value());
    } else if (std::holds_alternative<StatusUpdateAcknowledgement>(action.message)) {
      lines.push_back("agent Acknowledgement");
    } else if (std::holds_alternative<ShutdownFramework>(action.message)) {
      lines.push_back("agent ShutdownFramework");
    } else if (std::holds_alternative<ShutdownAgent>(action.message)) {
      lines.push_back("agent Shutdown");
    }
  }
  void Note(const SaveRegistry& action, std::vector<std::string>&) { saved_ = action.registry; }
  template <typename Other>
  void Note(const Other&, std::vector<std::string>&) {}

  std::vector<std::string> Subscribe(const std::function<void(FrameworkInfo&)>& change = {}) {
    SchedulerCall input;
    input.call.set_type(Call::SUBSCRIBE);
    FrameworkInfo& info = *input.call.mutable_subscribe()->mutable_framework_info();
    info.set_user("root");
    info.set_name("test");
    info.add_roles("research");
    for (auto type :
         {FrameworkInfo::Capability::MULTI_ROLE, FrameworkInfo::Capability::PARTITION_AWARE,
          FrameworkInfo::Capability::RESERVATION_REFINEMENT}) {
      info.add_capabilities()->set_type(type);
    }
    info.set_failover_timeout(60);
    info.set_checkpoint(true);
    if (change) change(info);
    if (info.has_id()) *input.call.mutable_framework_id() = info.id();
    return Do(input);
  }
  std::vector<std::string> Send(Call call) {
    SchedulerCall input;
    input.call = std::move(call);
    input.call.mutable_framework_id()->set_value(id_);
    input.stream_id = stream_;
    return Do(input);
  }
  std::vector<std::string> AddAgent(const char* resources = "cpus:4;mem:4096") {
    RegisterAgent message;
    message.agent.set_hostname("agent1.test");
    const auto parsed = ParseResources(resources);
    for (const auto& resource : *parsed) *message.agent.add_resources() = resource;
    return Do(FromAgent{kPid, message});
  }
  std::vector<std::string> Launch(const std::string& id, double cpus = 1) {
    Call call;
    call.set_type(Call::ACCEPT);
    call.mutable_accept()->add_offer_ids()->set_value(offer_);
    call.mutable_accept()->mutable_filters()->set_refuse_seconds(0);
    auto* operation = call.mutable_accept()->add_operations();
    operation->set_type(mesos::v1::Offer::Operation::LAUNCH);
    auto* task = operation->mutable_launch()->add_task_infos();
    task->set_name(id);
    task->mutable_task_id()->set_value(id);
    task->mutable_agent_id()->set_value(agent_id_);
    task->mutable_command()->set_value("true");
    auto* resource = task->add_resources();
    resource->set_name("cpus");
    resource->set_type(mesos::v1::Value::SCALAR);
    resource->mutable_scalar()->set_value(cpus);
    return Send(call);
  }
  std::vector<std::string> Report(const std::string& id, mesos::v1::TaskState state) {
    StatusUpdate message;
    message.framework_id.set_value(id_);
    message.agent_id.set_value(agent_id_);
    message.status.mutable_task_id()->set_value(id);
    message.status.set_state(state);
    const auto uuid = UuidBytes(random_);
    message.status.set_uuid(std::string(uuid.begin(), uuid.end()));
    message.latest_state = state;
    return Do(FromAgent{kPid, message});
  }
  std::vector<std::string> Acknowledge() {
    Call call;
    call.set_type(Call::ACKNOWLEDGE);
    call.mutable_acknowledge()->mutable_agent_id()->set_value(agent_id_);
    *call.mutable_acknowledge()->mutable_task_id() = status_.task_id();
    call.mutable_acknowledge()->set_uuid(status_.uuid());
    return Send(call);
  }
  std::vector<std::string> Reconcile(const std::string& id = {}, const std::string& agent = {}) {
    Call call;
    call.set_type(Call::RECONCILE);
    call.mutable_reconcile();
    if (!id.empty()) {
      auto* task = call.mutable_reconcile()->add_tasks();
      task->mutable_task_id()->set_value(id);
      if (!agent.empty()) task->mutable_agent_id()->set_value(agent);
    }
    return Send(call);
  }

  MasterOptions options_;
  Instant now_{1'000'000'000'000};
  std::unique_ptr<Master> master_ = std::make_unique<Master>(options_, Random(1), Registry{}, now_);
  std::string id_, stream_, offer_, agent_id_;
  Random random_{3};
  mesos::v1::TaskStatus status_;
  Registry saved_;
};

TEST_F(MasterTest, ASubscriptionIsOfferedWhatIsFreeAtOnce) {
  EXPECT_THAT(AddAgent(), ElementsAre("agent Registered"));
  EXPECT_THAT(Subscribe(), ElementsAre("SUBSCRIBED", "OFFERS cpus:4; mem:4096"));
  EXPECT_TRUE(id_.ends_with("-0000"));
  EXPECT_THAT(Wait(seconds(3)), IsEmpty());
}

TEST_F(MasterTest, ATaskLivesFromAcceptToAcknowledgement) {
  AddAgent();
  Subscribe();
  EXPECT_THAT(Launch("t"), ElementsAre("202", "agent RunTask t"));
  EXPECT_THAT(Wait(seconds(1)), ElementsAre("OFFERS cpus:3; mem:4096"));
  EXPECT_THAT(Report("t", mesos::v1::TASK_RUNNING), ElementsAre("UPDATE t TASK_RUNNING"));
  EXPECT_THAT(Report("t", mesos::v1::TASK_FINISHED), ElementsAre("UPDATE t TASK_FINISHED"));
  // Its resources are free before anybody acknowledges; its id is not.
  EXPECT_THAT(Wait(seconds(1)), ElementsAre("OFFERS cpus:1"));
  EXPECT_THAT(Launch("t"), ElementsAre("202", "UPDATE t TASK_ERROR"));
  EXPECT_EQ(status_.message(), "Task has duplicate ID: t");
}

TEST_F(MasterTest, AnAcknowledgedEndForgetsTheTask) {
  AddAgent();
  Subscribe();
  Launch("t");
  Report("t", mesos::v1::TASK_FINISHED);
  EXPECT_THAT(Reconcile("t"), ElementsAre("202", "UPDATE t TASK_FINISHED"));
  Report("t", mesos::v1::TASK_FINISHED);
  EXPECT_THAT(Acknowledge(), ElementsAre("202", "agent Acknowledgement"));
  EXPECT_THAT(Reconcile("t", agent_id_), ElementsAre("202", "UPDATE t TASK_GONE"));
  EXPECT_THAT(Reconcile(), ElementsAre("202"));
}

TEST_F(MasterTest, AnOfferIsGoodForOneAccept) {
  AddAgent();
  Subscribe();
  Launch("t1");
  EXPECT_THAT(Launch("t2"), ElementsAre("202", "UPDATE t2 TASK_DROPPED"));
  EXPECT_EQ(status_.reason(), mesos::v1::TaskStatus::REASON_INVALID_OFFERS);
}

TEST_F(MasterTest, CallsAreCheckedInTheirOrder) {
  SchedulerCall input;
  EXPECT_THAT(Do(input), ElementsAre("400 Failed to validate scheduler::Call: Expecting 'type' to "
                                     "be present"));
  input.call.set_type(Call::REVIVE);
  input.call.mutable_framework_id()->set_value("nobody");
  EXPECT_THAT(Do(input), ElementsAre("400 Framework cannot be found"));
  Subscribe();
  input.call.mutable_framework_id()->set_value(id_);
  EXPECT_THAT(Do(input), ElementsAre("400 All non-subscribe calls should include the "
                                     "'Mesos-Stream-Id' header"));
  input.stream_id = stream_;
  EXPECT_THAT(Do(input), ElementsAre("202"));
  Do(SchedulerStreamClosed{stream_});
  EXPECT_THAT(Do(input), ElementsAre("403 Framework is not subscribed"));
}

TEST_F(MasterTest, ASecondSubscriptionTakesOver) {
  AddAgent();
  Subscribe();
  Launch("t");
  Wait(seconds(1));
  const std::string id = id_;
  EXPECT_THAT(Subscribe([&](FrameworkInfo& info) { info.mutable_id()->set_value(id); }),
              ElementsAre("ERROR Framework failed over", "close", "SUBSCRIBED"));
  EXPECT_THAT(Wait(seconds(1)), ElementsAre("OFFERS cpus:3; mem:4096"));
  EXPECT_THAT(Reconcile(), ElementsAre("202", "UPDATE t TASK_STAGING"));
}

TEST_F(MasterTest, AFrameworkThatStaysAwayIsRemoved) {
  AddAgent();
  Subscribe();
  Launch("t");
  EXPECT_THAT(Do(SchedulerStreamClosed{stream_}), IsEmpty());
  EXPECT_THAT(Wait(milliseconds(59'999)), IsEmpty());
  EXPECT_THAT(Wait(milliseconds(1)), ElementsAre("agent ShutdownFramework"));
  const std::string id = id_;
  EXPECT_THAT(Subscribe([&](FrameworkInfo& info) { info.mutable_id()->set_value(id); }),
              ElementsAre("ERROR Framework has been removed", "close"));
}

TEST_F(MasterTest, ACutLinkRescindsAndALongSilenceMakesUnreachable) {
  AddAgent();
  Subscribe();
  Launch("t");
  Wait(seconds(1));
  Do(FromAgent{kPid, Pong{}});
  EXPECT_THAT(Do(AgentLinkCut{kPid}), ElementsAre("RESCIND"));
  EXPECT_THAT(Reconcile("t"), ElementsAre("202", "UPDATE t TASK_STAGING"));
  const auto lines = Wait(seconds(90));
  EXPECT_THAT(lines, ElementsAre("UPDATE t TASK_UNREACHABLE", "FAILURE"));
  EXPECT_THAT(Reconcile("t", agent_id_), ElementsAre("202", "UPDATE t TASK_UNREACHABLE"));
  EXPECT_THAT(Reconcile("t"), ElementsAre("202", "UPDATE t TASK_UNKNOWN"));
  EXPECT_EQ(saved_.unreachable.size(), 1u);

  ReregisterAgent back;
  back.agent.set_hostname("agent1.test");
  back.agent.mutable_id()->set_value(agent_id_);
  mesos::v1::Task task;
  task.set_name("t");
  task.mutable_task_id()->set_value("t");
  task.mutable_framework_id()->set_value(id_);
  task.mutable_agent_id()->set_value(agent_id_);
  task.set_state(mesos::v1::TASK_RUNNING);
  back.tasks.push_back(task);
  EXPECT_THAT(Do(FromAgent{kPid, back}),
              ElementsAre("UPDATE t TASK_RUNNING", "agent Reregistered"));
}

TEST_F(MasterTest, WithoutCheckpointsACutLinkLosesTheTasks) {
  AddAgent();
  Subscribe([](FrameworkInfo& info) { info.set_checkpoint(false); });
  Launch("t");
  EXPECT_THAT(Do(AgentLinkCut{kPid}), ElementsAre("UPDATE t TASK_LOST"));
  EXPECT_EQ(status_.reason(), mesos::v1::TaskStatus::REASON_AGENT_DISCONNECTED);
}

TEST_F(MasterTest, AKillIsSaidAgainWhenTheAgentIsBack) {
  AddAgent();
  Subscribe();
  Launch("t");
  Do(AgentLinkCut{kPid});
  Call call;
  call.set_type(Call::KILL);
  call.mutable_kill()->mutable_task_id()->set_value("t");
  EXPECT_THAT(Send(call), ElementsAre("202"));
  ReregisterAgent back;
  back.agent.mutable_id()->set_value(agent_id_);
  mesos::v1::Task task;
  task.mutable_task_id()->set_value("t");
  task.mutable_framework_id()->set_value(id_);
  back.tasks.push_back(task);
  EXPECT_THAT(Do(FromAgent{kPid, back}), ElementsAre("agent Reregistered", "agent KillTask t"));
}

TEST_F(MasterTest, ANewMasterIsSilentAboutAgentsThatMayComeBack) {
  AddAgent();
  Subscribe();
  const std::string agent_id = agent_id_;
  const std::string id = id_;
  master_ = std::make_unique<Master>(options_, Random(2), saved_, now_);
  Subscribe([&](FrameworkInfo& info) { info.mutable_id()->set_value(id); });
  EXPECT_THAT(Reconcile("t", agent_id), ElementsAre("202"));
  EXPECT_THAT(Reconcile("t", "nobody"), ElementsAre("202", "UPDATE t TASK_UNKNOWN"));
  Wait(std::chrono::minutes(10));
  EXPECT_THAT(Reconcile("t", agent_id), ElementsAre("202", "UPDATE t TASK_UNREACHABLE"));
}

TEST_F(MasterTest, AnAgentMarkedGoneTakesItsTasksWithIt) {
  AddAgent();
  Subscribe();
  Launch("t");
  OperatorCall call;
  call.call.set_type(mesos::v1::master::Call::MARK_AGENT_GONE);
  call.call.mutable_mark_agent_gone()->mutable_agent_id()->set_value(agent_id_);
  EXPECT_THAT(Do(call),
              ElementsAre("200", "agent Shutdown", "UPDATE t TASK_GONE_BY_OPERATOR", "FAILURE"));
  EXPECT_THAT(Reconcile("t", agent_id_), ElementsAre("202", "UPDATE t TASK_GONE_BY_OPERATOR"));
  ReregisterAgent back;
  back.agent.mutable_id()->set_value(agent_id_);
  EXPECT_THAT(Do(FromAgent{kPid, back}), ElementsAre("agent Shutdown"));
}

TEST_F(MasterTest, TeardownEndsTheStreamWithoutAnEvent) {
  AddAgent();
  Subscribe();
  Launch("t");
  Call call;
  call.set_type(Call::TEARDOWN);
  EXPECT_THAT(Send(call), ElementsAre("202", "close", "agent ShutdownFramework"));
  EXPECT_TRUE(master_->frameworks().empty());
  EXPECT_EQ(master_->completed_frameworks().front().completed.front().state(),
            mesos::v1::TASK_KILLED);
}

TEST_F(MasterTest, TheSameSeedGivesTheSameIds) {
  Master other(options_, Random(1), Registry{}, now_);
  EXPECT_EQ(other.info().id(), master_->info().id());
}

}  // namespace
}  // namespace kiln::local
