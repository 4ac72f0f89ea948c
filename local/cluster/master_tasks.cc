// What the master knows of tasks: statuses from agents and its own, ends of executors, messages.
#include <algorithm>

#include "local/cluster/agent_updates.h"
#include "local/cluster/master.h"

namespace kiln::local {

namespace scheduler = mesos::v1::scheduler;
namespace operators = mesos::v1::master;
using mesos::v1::Task;
using mesos::v1::TaskState;
using mesos::v1::TaskStatus;

namespace {

bool Holds(TaskState state) { return !IsTerminal(state) && state != mesos::v1::TASK_UNREACHABLE; }

}  // namespace

void Master::On(const std::string& pid, const StatusUpdate& message) {
  MasterAgent* agent = AgentAt(pid);
  auto found = frameworks_.find(message.framework_id.value());
  if (!agent || agent->id() != message.agent_id.value() || found == frameworks_.end()) {
    ++counts_.invalid_status_updates;
    return;
  }
  ++counts_.valid_status_updates;
  MasterFramework& framework = found->second;
  // A framework that is away gets it again from the agent when it comes back.
  SendStatus(framework, message.status);
  const std::string& task_id = message.status.task_id().value();
  auto entry = framework.tasks.find(task_id);
  if (entry == framework.tasks.end() || entry->second.agent_id().value() != agent->id()) return;
  Task& task = entry->second;
  if (message.status.has_uuid()) {
    task.set_status_update_state(message.status.state());
    task.set_status_update_uuid(message.status.uuid());
  }
  UpdateTask(task, message.status, message.latest_state);
  if (IsTerminal(task.state()) && !message.status.has_uuid()) {
    RemoveTask({framework.id(), task_id});
    EndDrain(agent->id());
  }
}

void Master::On(const std::string& pid, const ExitedExecutor& message) {
  MasterAgent* agent = AgentAt(pid);
  if (!agent) return;
  const MasterExecutorKey key{message.framework_id.value(), message.executor_id.value()};
  // Those that agents make for command tasks are not known here.
  if (!agent->executors.count(key)) return;
  RemoveExecutor(*agent, key);
  auto found = frameworks_.find(key.first);
  if (found == frameworks_.end()) return;
  scheduler::Event event;
  event.set_type(scheduler::Event::FAILURE);
  *event.mutable_failure()->mutable_agent_id() = agent->info.id();
  *event.mutable_failure()->mutable_executor_id() = message.executor_id;
  event.mutable_failure()->set_status(message.status);
  Send(found->second, std::move(event));
}

void Master::On(const std::string& pid, const ExecutorToFramework& message) {
  MasterAgent* agent = AgentAt(pid);
  auto found = frameworks_.find(message.framework_id.value());
  if (!agent || found == frameworks_.end()) return;
  scheduler::Event event;
  event.set_type(scheduler::Event::MESSAGE);
  *event.mutable_message()->mutable_agent_id() = message.agent_id;
  *event.mutable_message()->mutable_executor_id() = message.executor_id;
  event.mutable_message()->set_data(message.data);
  Send(found->second, std::move(event));
}

TaskStatus Master::NewStatus(const mesos::v1::TaskID& task_id, TaskState state,
                             TaskStatus::Reason reason, const std::string& message) const {
  TaskStatus status;
  *status.mutable_task_id() = task_id;
  status.set_state(state);
  status.set_message(message);
  status.set_source(TaskStatus::SOURCE_MASTER);
  status.set_reason(reason);
  status.set_timestamp(now_.Seconds());
  return status;
}

TaskStatus Master::NewStatus(const Task& task, TaskState state, TaskStatus::Reason reason,
                             const std::string& message) const {
  TaskStatus status = NewStatus(task.task_id(), state, reason, message);
  *status.mutable_agent_id() = task.agent_id();
  if (task.has_executor_id()) *status.mutable_executor_id() = task.executor_id();
  // What a reconciliation keeps of the last word about the task.
  if (task.statuses_size() == 0 || (reason != TaskStatus::REASON_RECONCILIATION &&
                                    reason != TaskStatus::REASON_AGENT_REREGISTERED)) {
    return status;
  }
  const TaskStatus& last = task.statuses(task.statuses_size() - 1);
  if (last.has_healthy()) status.set_healthy(last.healthy());
  if (last.has_check_status()) *status.mutable_check_status() = last.check_status();
  if (last.has_container_status()) *status.mutable_container_status() = last.container_status();
  return status;
}

void Master::SendStatus(const MasterFramework& framework, TaskStatus status) {
  scheduler::Event event;
  event.set_type(scheduler::Event::UPDATE);
  *event.mutable_update()->mutable_status() = std::move(status);
  Send(framework, std::move(event));
}

void Master::UpdateTask(Task& task, const TaskStatus& status, TaskState latest) {
  const TaskState before = task.state();
  if (!IsTerminal(before)) task.set_state(latest);
  auto* statuses = task.mutable_statuses();
  const bool repeats = !statuses->empty() && statuses->rbegin()->state() == status.state();
  if (repeats) statuses->RemoveLast();
  *statuses->Add() = status;
  statuses->rbegin()->clear_data();
  if (!repeats || status.reason() == TaskStatus::REASON_TASK_CHECK_STATUS_UPDATED ||
      status.reason() == TaskStatus::REASON_TASK_HEALTH_CHECK_STATUS_UPDATED) {
    operators::Event event;
    event.set_type(operators::Event::TASK_UPDATED);
    *event.mutable_task_updated()->mutable_framework_id() = task.framework_id();
    *event.mutable_task_updated()->mutable_status() = *statuses->rbegin();
    event.mutable_task_updated()->set_state(task.state());
    Publish(std::move(event));
  }
  if (!Holds(before) || Holds(task.state())) return;
  if (IsTerminal(task.state())) ++counts_.tasks[task.state()];
  allocator_.Recover(task.framework_id().value(), task.agent_id().value(),
                     Resources(task.resources()), std::nullopt, now_);
}

void Master::RemoveTask(const MasterTaskKey& key, bool unreachable) {
  MasterFramework& framework = frameworks_.at(key.first);
  auto entry = framework.tasks.extract(key.second);
  Task& task = entry.mapped();
  if (Holds(task.state())) {
    allocator_.Recover(key.first, task.agent_id().value(), Resources(task.resources()),
                       std::nullopt, now_);
  }
  if (MasterAgent* agent = FindAgent(task.agent_id().value())) {
    agent->tasks.erase(key);
    agent->kills.erase(key);
  }
  if (unreachable) {
    framework.unreachable.emplace_back(key.second, std::move(task));
    if (framework.unreachable.size() > options_.max_unreachable_tasks_per_framework) {
      framework.unreachable.pop_front();
    }
    return;
  }
  framework.completed.push_back(std::move(task));
  if (framework.completed.size() > options_.max_completed_tasks_per_framework) {
    framework.completed.pop_front();
  }
}

void Master::RemoveExecutor(MasterAgent& agent, const MasterExecutorKey& key) {
  auto entry = agent.executors.extract(key);
  allocator_.Recover(key.first, agent.id(), Resources(entry.mapped().resources()), std::nullopt,
                     now_);
}

}  // namespace kiln::local
