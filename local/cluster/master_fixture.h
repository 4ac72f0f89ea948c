// Drives a master in tests and keeps what it says as short lines.
#pragma once

#include <gmock/gmock.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "local/cluster/master.h"

namespace kiln::local {

inline constexpr char kPid[] = "slave(1)@127.0.0.1:5051";

// "OFFERS cpus:4", "UPDATE t TASK_RUNNING", "agent RunTask t", "400 text".
class MasterTest : public testing::Test {
 protected:
  using Call = mesos::v1::scheduler::Call;
  using Event = mesos::v1::scheduler::Event;
  using FrameworkInfo = mesos::v1::FrameworkInfo;

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
  void Note(const AnswerOperator& action, std::vector<std::string>& lines) {
    response_ = action.response;
    lines.push_back("200");
  }
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
      if (offer.has_unavailability()) {
        line += " away at " + std::to_string(offer.unavailability().start().nanoseconds());
      }
    }
    for (const auto& offer : event.inverse_offers().inverse_offers()) {
      inverse_offer_ = offer.id().value();
    }
    if (event.has_update()) {
      status_ = event.update().status();
      line += " " + status_.task_id().value() + " " + mesos::v1::TaskState_Name(status_.state());
    }
    if (event.has_update_operation_status()) {
      operation_ = event.update_operation_status().status();
      line += " " + operation_.operation_id().value() + " " +
              mesos::v1::OperationState_Name(operation_.state());
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
    } else if (auto* apply = std::get_if<ApplyOperation>(&action.message)) {
      applied_ = *apply;
      lines.push_back("agent ApplyOperation");
    } else if (std::holds_alternative<AcknowledgeOperationStatus>(action.message)) {
      lines.push_back("agent AcknowledgeOperation");
    } else if (auto* drain = std::get_if<DrainAgent>(&action.message)) {
      const Duration grace = drain->max_grace_period.value_or(Duration::zero());
      lines.push_back("agent DrainAgent " + std::to_string(grace / std::chrono::milliseconds(1)) +
                      "ms");
    }
  }
  void Note(const SendToOperator& action, std::vector<std::string>&) {
    published_.push_back(mesos::v1::master::Event::Type_Name(action.event.type()));
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
  void Watch() {
    OperatorCall input;
    input.call.set_type(mesos::v1::master::Call::SUBSCRIBE);
    Do(input);
    published_.clear();
  }
  std::vector<std::string> Published() { return std::exchange(published_, {}); }
  std::vector<std::string> Report(const std::string& id, mesos::v1::TaskState state,
                                  mesos::v1::TaskStatus::Reason reason = {}, double timestamp = 0) {
    StatusUpdate message;
    message.status.set_timestamp(timestamp);
    if (reason != 0) message.status.set_reason(reason);
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
  std::string id_, stream_, offer_, inverse_offer_, agent_id_;
  Random random_{3};
  mesos::v1::TaskStatus status_;
  mesos::v1::OperationStatus operation_;
  ApplyOperation applied_;
  Registry saved_;
  mesos::v1::master::Response response_;
  std::vector<std::string> published_;  // to operators who watch
};

}  // namespace kiln::local
