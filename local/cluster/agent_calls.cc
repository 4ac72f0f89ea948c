// The calls of executors: checks, subscription, and what they bring.
#include <set>
#include <utility>

#include "local/cluster/agent.h"

namespace kiln::local {

using mesos::v1::TaskStatus;
using mesos::v1::executor::Call;
using mesos::v1::executor::Event;

namespace {

Refusal Invalid(const std::string& text) {
  return {400, "Failed to validate Executor::Call: " + text};
}

// 16 bytes with one of the versions that RFC 4122 knows.
bool IsUuid(const std::string& bytes) {
  if (bytes.size() != 16) return false;
  const int version = static_cast<unsigned char>(bytes[6]) >> 4;
  return version >= 1 && version <= 5;
}

std::optional<Refusal> ValidateUpdate(const Call& call) {
  if (!call.has_update()) return Invalid("Expecting 'update' to be present");
  const TaskStatus& status = call.update().status();
  const std::string who =
      "executor " + call.executor_id().value() + " of framework " + call.framework_id().value();
  if (!status.has_uuid()) return Invalid("Expecting 'uuid' to be present");
  if (!IsUuid(status.uuid())) return Invalid("Not a valid UUID");
  if (status.has_executor_id() && status.executor_id().value() != call.executor_id().value()) {
    return Invalid("ExecutorID in Call: " + call.executor_id().value() +
                   " does not match ExecutorID in TaskStatus: " + status.executor_id().value());
  }
  if (status.source() != TaskStatus::SOURCE_EXECUTOR) {
    return Invalid("Received Call from " + who +
                   " with invalid source, expecting 'SOURCE_EXECUTOR'");
  }
  if (status.state() == mesos::v1::TASK_STAGING) {
    return Invalid("Received TASK_STAGING from " + who + " which is not allowed");
  }
  return std::nullopt;
}

std::optional<Refusal> CheckClaims(const AgentExecutor& executor, const ExecutorClaims& claims) {
  const std::string who = "Authenticated principal '{\"claims\":{\"fid\":\"" + claims.framework_id +
                          "\",\"eid\":\"" + claims.executor_id + "\",\"cid\":\"" +
                          claims.container_id + "\"}}' does not contain ";
  if (claims.framework_id != executor.key.framework_id) {
    return Refusal{403, who + "an 'fid' claim with the framework ID " + executor.key.framework_id +
                            ", which is set in the call"};
  }
  if (claims.executor_id != executor.key.executor_id) {
    return Refusal{403, who + "an 'eid' claim with the executor ID " + executor.key.executor_id +
                            ", which is set in the call"};
  }
  if (claims.container_id != executor.key.container_id) {
    return Refusal{403, who + "a 'cid' claim with the correct active ContainerID"};
  }
  return std::nullopt;
}

}  // namespace

std::optional<Refusal> Agent::Validate(const Call& call) {
  if (!call.has_type()) return Invalid("Expecting 'type' to be present");
  switch (call.type()) {
    case Call::SUBSCRIBE:
      if (!call.has_subscribe()) return Invalid("Expecting 'subscribe' to be present");
      return std::nullopt;
    case Call::UPDATE:
      return ValidateUpdate(call);
    case Call::MESSAGE:
      if (!call.has_message()) return Invalid("Expecting 'message' to be present");
      return std::nullopt;
    case Call::HEARTBEAT:
    case Call::UNKNOWN:
      return std::nullopt;
  }
  return std::nullopt;
}

std::optional<Refusal> Agent::Admit(const Call& call,
                                    const std::optional<ExecutorClaims>& claims) const {
  if (call.type() == Call::HEARTBEAT) return std::nullopt;
  if (phase_ == AgentPhase::kRecovering && call.type() != Call::SUBSCRIBE) {
    return Refusal{503, "Agent has not finished recovery"};
  }
  auto framework = frameworks_.find(call.framework_id().value());
  if (framework == frameworks_.end()) return Refusal{400, "Framework cannot be found"};
  auto found = framework->second.executors.find(call.executor_id().value());
  if (found == framework->second.executors.end()) {
    return Refusal{400, "Executor cannot be found"};
  }
  const AgentExecutor& executor = found->second;
  if (claims) {
    if (auto refusal = CheckClaims(executor, *claims)) return refusal;
  }
  if (call.type() == Call::SUBSCRIBE) return std::nullopt;
  if (executor.state == ExecutorState::kRegistering) {
    return Refusal{403, "Executor is not subscribed"};
  }
  if (call.type() == Call::UNKNOWN) return Refusal{501, "501 Not Implemented."};
  return std::nullopt;
}

void Agent::Subscribe(Instant now, const Call& call, uint64_t stream) {
  AgentFramework& framework = *FindFramework(call.framework_id().value());
  AgentExecutor& executor = framework.executors.at(call.executor_id().value());
  CloseStreamOf(executor);
  executor.stream = stream;
  Event event;
  if (phase_ == AgentPhase::kTerminating || framework.terminating ||
      executor.state == ExecutorState::kTerminating ||
      executor.state == ExecutorState::kTerminated) {
    event.set_type(Event::SHUTDOWN);
    SendEvent(executor, std::move(event));
    return CloseStreamOf(executor);
  }
  if (executor.state == ExecutorState::kRegistering) {
    executor.state = ExecutorState::kRunning;
    executor.deadline.reset();
  }
  DropForgotten(now, framework, executor, call.subscribe());
  if (executor.queued.empty() && !executor.EverSentTask()) return ShutDownExecutor(now, executor);

  event.set_type(Event::SUBSCRIBED);
  auto* subscribed = event.mutable_subscribed();
  *subscribed->mutable_executor_info() = executor.info;
  *subscribed->mutable_framework_info() = framework.info;
  *subscribed->mutable_agent_info() = options_.info;
  subscribed->mutable_container_id()->set_value(executor.key.container_id);
  SendEvent(executor, std::move(event));

  for (const auto& update : call.subscribe().unacknowledged_updates()) {
    FromExecutor(now, framework, update.status());
  }
  for (const QueuedWork& work : std::exchange(executor.queued, {})) {
    Deliver(framework, executor, work);
  }
}

// A task that was launched but never reported, and that the executor does not know either, was lost
// on its way.
void Agent::DropForgotten(Instant now, AgentFramework& framework, AgentExecutor& executor,
                          const Call::Subscribe& subscribe) {
  std::set<std::string> known;
  for (const auto& task : subscribe.unacknowledged_tasks()) known.insert(task.task_id().value());
  for (const auto& update : subscribe.unacknowledged_updates()) {
    known.insert(update.status().task_id().value());
  }
  std::vector<std::string> forgotten;
  for (const auto& [task_id, task] : executor.launched) {
    if (task.state() == mesos::v1::TASK_STAGING && !known.contains(task_id)) {
      forgotten.push_back(task_id);
    }
  }
  for (const std::string& task_id : forgotten) {
    Report(now, framework, &executor, task_id,
           framework.PartitionAware() ? mesos::v1::TASK_DROPPED : mesos::v1::TASK_LOST,
           TaskStatus::REASON_AGENT_RESTARTED, "Task launched during agent restart");
  }
}

void Agent::Handle(Instant now, const Call& call) {
  switch (call.type()) {
    case Call::UPDATE: {
      TaskStatus status = call.update().status();
      FromExecutor(now, *FindFramework(call.framework_id().value()), std::move(status));
      return;
    }
    case Call::MESSAGE:
      if (phase_ == AgentPhase::kRegistered) {
        Send(ExecutorToFramework{options_.info.id(), call.framework_id(), call.executor_id(),
                                 call.message().data()});
      }
      return;
    case Call::HEARTBEAT:
    case Call::SUBSCRIBE:
    case Call::UNKNOWN:
      return;
  }
}

}  // namespace kiln::local
