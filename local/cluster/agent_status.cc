// Status updates from executor to master, and messages both ways.
#include <utility>

#include "local/cluster/agent.h"

namespace kiln::local {

using mesos::v1::Task;
using mesos::v1::TaskStatus;
using mesos::v1::executor::Event;

TaskStatus Agent::NewStatus(Instant now, const std::string& task_id, mesos::v1::TaskState state,
                            TaskStatus::Reason reason, const std::string& message) {
  TaskStatus status;
  status.mutable_task_id()->set_value(task_id);
  status.set_state(state);
  status.set_source(TaskStatus::SOURCE_AGENT);
  status.set_reason(reason);
  status.set_message(message);
  *status.mutable_agent_id() = options_.info.id();
  status.set_timestamp(now.Seconds());
  status.set_uuid(NewUuid());
  return status;
}

void Agent::Report(Instant now, AgentFramework& framework, AgentExecutor* executor,
                   const std::string& task_id, mesos::v1::TaskState state,
                   TaskStatus::Reason reason, const std::string& message) {
  TaskStatus status = NewStatus(now, task_id, state, reason, message);
  if (executor != nullptr) *status.mutable_executor_id() = executor->info.executor_id();
  Store(now, framework, executor, status);
}

void Agent::RewriteWhenDraining(const AgentFramework& framework, TaskStatus& status) const {
  if (!drain_) return;
  if (status.state() != mesos::v1::TASK_KILLED && status.state() != mesos::v1::TASK_KILLING) return;
  status.set_reason(TaskStatus::REASON_AGENT_DRAINING);
  if (drain_->mark_gone && framework.PartitionAware()) {
    status.set_state(mesos::v1::TASK_GONE_BY_OPERATOR);
  }
}

void Agent::AddContainerStatus(const AgentExecutor& executor, TaskStatus& status) const {
  auto* container = status.mutable_container_status();
  if (container->container_id().has_parent()) {
    // One in the executor's, of which the executor alone knows. Without a process it has no
    // address.
    if (!container->has_executor_pid()) return;
  } else {
    container->mutable_container_id()->set_value(executor.key.container_id);
    if (executor.pid) container->set_executor_pid(static_cast<uint32_t>(*executor.pid));
  }
  if (container->network_infos_size() == 0) {
    container->add_network_infos()->add_ip_addresses()->set_ip_address(options_.ip);
  }
}

void Agent::FromExecutor(Instant now, AgentFramework& framework, TaskStatus status) {
  if (framework.terminating ||
      (status.has_agent_id() && status.agent_id().value() != options_.info.id().value())) {
    ++counts_.invalid_status_updates;
    return;
  }
  ++counts_.valid_status_updates;
  *status.mutable_agent_id() = options_.info.id();
  if (!status.has_timestamp()) status.set_timestamp(now.Seconds());
  RewriteWhenDraining(framework, status);
  AgentExecutor* executor = framework.ExecutorOf(status.task_id().value());
  if (executor == nullptr) return Store(now, framework, nullptr, status);
  AddContainerStatus(*executor, status);
  if (!executor->terminated.contains(status.task_id().value())) {
    Store(now, framework, executor, status);
  }
  Acknowledged(*executor, status);
}

void Agent::Acknowledged(AgentExecutor& executor, const TaskStatus& status) {
  Event event;
  event.set_type(Event::ACKNOWLEDGED);
  *event.mutable_acknowledged()->mutable_task_id() = status.task_id();
  event.mutable_acknowledged()->set_uuid(status.uuid());
  SendEvent(executor, std::move(event));
}

void Agent::Store(Instant now, AgentFramework& framework, AgentExecutor* executor,
                  const TaskStatus& status) {
  const TaskKey key{framework.id(), status.task_id().value()};
  const TaskUpdates::Added added = updates_.Add(key, status);
  if (added == TaskUpdates::Added::kKnown) return;
  if (executor != nullptr) {
    if (executor->checkpoint) actions_.emplace_back(SaveUpdate{executor->key, status});
    NoteState(framework, *executor, status);
  }
  if (added == TaskUpdates::Added::kHead) Forward(now, key, status);
}

void Agent::NoteState(AgentFramework& framework, AgentExecutor& executor,
                      const TaskStatus& status) {
  const std::string& task_id = status.task_id().value();
  auto launched = executor.launched.find(task_id);
  if (!IsTerminal(status.state())) {
    if (launched != executor.launched.end()) Note(launched->second, status);
    return;
  }
  switch (status.state()) {
    case mesos::v1::TASK_FINISHED:
      ++counts_.tasks_finished;
      break;
    case mesos::v1::TASK_FAILED:
      ++counts_.tasks_failed;
      break;
    case mesos::v1::TASK_KILLED:
      ++counts_.tasks_killed;
      break;
    case mesos::v1::TASK_LOST:
      ++counts_.tasks_lost;
      break;
    case mesos::v1::TASK_GONE:
      ++counts_.tasks_gone;
      break;
    default:
      break;
  }
  Task ended;
  if (launched != executor.launched.end()) {
    ended = std::move(launched->second);
    executor.launched.erase(launched);
  } else if (const auto* queued = executor.FindQueued(task_id)) {
    ended = TaskOf(*queued, mesos::v1::TASK_STAGING, framework.info.id());
    executor.Unqueue(task_id);
  } else {
    return;
  }
  executor.Return(ended.resources());
  Note(ended, status);
  executor.terminated[task_id] = std::move(ended);
  if (executor.state == ExecutorState::kRunning) {
    actions_.emplace_back(UpdateContainer{executor.key, executor.share, executor.volumes});
  }
}

void Agent::Forward(Instant now, const TaskKey& key, const TaskStatus& status) {
  if (phase_ != AgentPhase::kRegistered) return;
  StatusUpdate message;
  message.framework_id.set_value(key.framework_id);
  message.agent_id = options_.info.id();
  message.status = status;
  message.latest_state = status.state();
  AgentFramework* framework = FindFramework(key.framework_id);
  AgentExecutor* executor = framework == nullptr ? nullptr : framework->ExecutorOf(key.task_id);
  if (executor != nullptr) {
    message.executor_id = executor->info.executor_id();
    for (auto* tasks : {&executor->launched, &executor->terminated}) {
      auto task = tasks->find(key.task_id);
      if (task == tasks->end()) continue;
      message.latest_state = task->second.state();
      task->second.set_status_update_state(status.state());
      task->second.set_status_update_uuid(status.uuid());
    }
  } else if (status.has_executor_id()) {
    message.executor_id = status.executor_id();
  }
  updates_.Sent(key, now);
  Send(std::move(message));
}

void Agent::On(Instant now, const StatusUpdateAcknowledgement& message) {
  if (!Working()) return;
  const TaskKey key{message.framework_id.value(), message.task_id.value()};
  const TaskUpdates::Acknowledged result = updates_.Acknowledge(key, message.uuid);
  if (!result.taken) return;
  AgentFramework* framework = FindFramework(key.framework_id);
  AgentExecutor* executor = framework == nullptr ? nullptr : framework->ExecutorOf(key.task_id);
  if (executor != nullptr && executor->checkpoint) {
    actions_.emplace_back(SaveAcknowledgement{executor->key, key.task_id, message.uuid});
  }
  if (result.next) Forward(now, key, *result.next);
  if (!result.last || executor == nullptr) return;
  auto ended = executor->terminated.find(key.task_id);
  if (ended == executor->terminated.end()) return;
  executor->completed.push_back(std::move(ended->second));
  if (executor->completed.size() > kCompletedTasksMax) executor->completed.pop_front();
  executor->terminated.erase(ended);
  framework->executor_of_task.erase(key.task_id);
  if (executor->state == ExecutorState::kTerminated && !executor->HasWork()) {
    RemoveExecutor(*framework, executor->key.executor_id);
    RemoveIfIdle(key.framework_id);
  }
}

void Agent::On(Instant, const FrameworkToExecutor& message) {
  AgentFramework* framework = FindFramework(message.framework_id.value());
  auto deliverable = [&]() -> AgentExecutor* {
    if (!Working() || framework == nullptr || framework->terminating) return nullptr;
    auto found = framework->executors.find(message.executor_id.value());
    if (found == framework->executors.end()) return nullptr;
    return found->second.state == ExecutorState::kRunning ? &found->second : nullptr;
  };
  AgentExecutor* executor = deliverable();
  if (executor == nullptr) {
    ++counts_.invalid_framework_messages;
    return;
  }
  ++counts_.valid_framework_messages;
  Event event;
  event.set_type(Event::MESSAGE);
  event.mutable_message()->set_data(message.data);
  SendEvent(*executor, std::move(event));
}

}  // namespace kiln::local
