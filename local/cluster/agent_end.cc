// How tasks, executors, frameworks and the agent itself end.
#include <algorithm>
#include <utility>

#include "local/cluster/agent.h"

namespace kiln::local {

using mesos::v1::KillPolicy;
using mesos::v1::TaskInfo;
using mesos::v1::TaskStatus;
using mesos::v1::executor::Event;

void Agent::On(Instant now, const KillTask& message) {
  if (!Working()) return;
  AgentFramework* framework = FindFramework(message.framework_id.value());
  if (framework == nullptr || framework->terminating) return;
  Kill(now, *framework, message.task_id.value(), message.kill_policy);
}

void Agent::Kill(Instant now, AgentFramework& framework, const std::string& task_id,
                 const std::optional<KillPolicy>& policy) {
  AgentExecutor* executor = framework.ExecutorOf(task_id);
  if (executor == nullptr) {
    return Report(now, framework, nullptr, task_id,
                  framework.PartitionAware() ? mesos::v1::TASK_DROPPED : mesos::v1::TASK_LOST,
                  TaskStatus::REASON_EXECUTOR_TERMINATED, "Cannot find executor");
  }
  switch (executor->state) {
    case ExecutorState::kRegistering:
      return KillQueued(now, framework, *executor, task_id);
    case ExecutorState::kTerminating:
    case ExecutorState::kTerminated:
      return;
    case ExecutorState::kRunning:
      break;
  }
  Event event;
  event.set_type(Event::KILL);
  event.mutable_kill()->mutable_task_id()->set_value(task_id);
  if (policy) *event.mutable_kill()->mutable_kill_policy() = *policy;
  SendEvent(*executor, std::move(event));
}

void Agent::KillQueued(Instant now, AgentFramework& framework, AgentExecutor& executor,
                       const std::string& task_id) {
  const std::vector<TaskInfo> tasks = executor.QueuedWith(task_id);
  for (const TaskInfo& task : tasks) {
    Report(now, framework, &executor, task.task_id().value(), mesos::v1::TASK_KILLED,
           TaskStatus::REASON_TASK_KILLED_DURING_LAUNCH,
           tasks.size() > 1 ? "A task within the task group was killed before delivery to the "
                              "executor"
                            : "Killed before delivery to the executor");
  }
}

void Agent::On(Instant now, const ShutdownExecutor& message) {
  if (!Working()) return;
  AgentFramework* framework = FindFramework(message.framework_id.value());
  if (framework == nullptr || framework->terminating) return;
  auto found = framework->executors.find(message.executor_id.value());
  if (found != framework->executors.end()) ShutDownExecutor(now, found->second);
}

void Agent::ShutDownExecutor(Instant now, AgentExecutor& executor) {
  if (executor.state == ExecutorState::kTerminating ||
      executor.state == ExecutorState::kTerminated) {
    return;
  }
  executor.state = ExecutorState::kTerminating;
  Event event;
  event.set_type(Event::SHUTDOWN);
  SendEvent(executor, std::move(event));
  executor.deadline = now + (executor.info.has_shutdown_grace_period()
                                 ? Duration(executor.info.shutdown_grace_period().nanoseconds())
                                 : options_.executor_shutdown_grace_period);
}

void Agent::On(Instant now, const ShutdownFramework& message) {
  if (!Working()) return;
  AgentFramework* framework = FindFramework(message.framework_id.value());
  if (framework != nullptr) ShutDownFramework(now, *framework);
}

void Agent::ShutDownFramework(Instant now, AgentFramework& framework) {
  framework.terminating = true;
  updates_.Forget(framework.id());
  std::vector<std::string> over;
  for (auto& [id, executor] : framework.executors) {
    ShutDownExecutor(now, executor);
    if (executor.state == ExecutorState::kTerminated) over.push_back(id);
  }
  const std::string framework_id = framework.id();
  for (const std::string& id : over) RemoveExecutor(framework, id);
  RemoveIfIdle(framework_id);
}

void Agent::On(Instant now, const DrainAgent& message) {
  if (!Working()) return;
  if (frameworks_.empty()) return;
  drain_ = message;
  drain_start_ = now;
  for (auto& [framework_id, framework] : frameworks_) {
    std::vector<std::pair<std::string, std::optional<KillPolicy>>> kills;
    auto add = [&](const std::string& task_id, const auto& task) {
      std::optional<KillPolicy> policy;
      if (message.max_grace_period) {
        int64_t grace = message.max_grace_period->count();
        if (task.has_kill_policy() && task.kill_policy().has_grace_period()) {
          grace = std::min(grace, task.kill_policy().grace_period().nanoseconds());
        }
        policy.emplace().mutable_grace_period()->set_nanoseconds(grace);
      }
      kills.emplace_back(task_id, policy);
    };
    for (const auto& [executor_id, executor] : framework.executors) {
      for (const TaskInfo& task : executor.QueuedTasks()) add(task.task_id().value(), task);
      for (const auto& [task_id, task] : executor.launched) add(task_id, task);
    }
    for (const auto& [task_id, policy] : kills) {
      if (framework.ExecutorOf(task_id) != nullptr) Kill(now, framework, task_id, policy);
    }
  }
}

void Agent::Destroy(AgentExecutor& executor, Termination termination) {
  executor.state = ExecutorState::kTerminating;
  executor.deadline.reset();
  executor.termination = std::move(termination);
  actions_.emplace_back(DestroyContainer{executor.key});
}

void Agent::TakeBack() {
  for (auto& [framework_id, framework] : frameworks_) {
    for (auto& [executor_id, executor] : framework.executors) {
      const bool live = executor.state == ExecutorState::kRegistering ||
                        executor.state == ExecutorState::kRunning;
      const auto resources = executor.Resources();
      const bool lent = std::any_of(resources.begin(), resources.end(),
                                    [](const auto& one) { return one.has_revocable(); });
      if (!live || !lent) continue;
      ++counts_.executors_preempted;
      Destroy(executor,
              {framework.PartitionAware() ? mesos::v1::TASK_GONE : mesos::v1::TASK_LOST,
               TaskStatus::REASON_CONTAINER_PREEMPTED, "Container preempted by QoS correction"});
    }
  }
}

void Agent::Expire(Instant, AgentExecutor& executor) {
  executor.deadline.reset();
  switch (executor.state) {
    case ExecutorState::kRegistering:
      return Destroy(executor,
                     {mesos::v1::TASK_FAILED, TaskStatus::REASON_EXECUTOR_REGISTRATION_TIMEOUT,
                      "Executor did not register within " +
                          DurationText(options_.executor_registration_timeout)});
    case ExecutorState::kTerminating:
      actions_.emplace_back(DestroyContainer{executor.key});
      return;
    case ExecutorState::kRunning:
    case ExecutorState::kTerminated:
      return;
  }
}

void Agent::ContainerStarted(const RunKey& key, int32_t pid) {
  AgentExecutor* executor = FindExecutor(key);
  if (executor != nullptr) executor->pid = pid;
}

void Agent::LaunchFailed(Instant now, const RunKey& key, const std::string& message) {
  AgentExecutor* executor = FindExecutor(key);
  if (executor == nullptr) return;
  ++counts_.container_launch_errors;
  // A container that is destroyed while it is launched fails too: the older reason stands.
  if (!executor->termination) {
    executor->termination = {mesos::v1::TASK_FAILED, TaskStatus::REASON_CONTAINER_LAUNCH_FAILED,
                             "Failed to launch container: " + message};
  }
  ContainerEnded(now, key, {});
}

void Agent::ContainerEnded(Instant now, const RunKey& key, const ContainerEnd& end) {
  AgentExecutor* executor = FindExecutor(key);
  if (executor == nullptr || executor->state == ExecutorState::kTerminated) return;
  AgentFramework& framework = *FindFramework(key.framework_id);
  executor->state = ExecutorState::kTerminated;
  executor->deadline.reset();
  ++counts_.executors_terminated;
  // Its stream is left to whoever holds the other end, as a Mesos agent does.
  executor->stream.reset();
  if (!executor->command && phase_ == AgentPhase::kRegistered) {
    Send(ExitedExecutor{options_.info.id(), framework.info.id(), executor->info.executor_id(),
                        end.status.value_or(-1)});
  }
  if (!framework.terminating) TerminateTasks(now, framework, *executor, end);
  if (framework.terminating || phase_ == AgentPhase::kTerminating || !executor->HasWork()) {
    RemoveExecutor(framework, key.executor_id);
  }
  RemoveIfIdle(key.framework_id);
}

void Agent::TerminateTasks(Instant now, AgentFramework& framework, AgentExecutor& executor,
                           const ContainerEnd& end) {
  Termination why{mesos::v1::TASK_FAILED, TaskStatus::REASON_EXECUTOR_TERMINATED,
                  "Executor terminated"};
  if (executor.termination) {
    why = *executor.termination;
  } else if (end.reason) {
    why = {mesos::v1::TASK_FAILED, *end.reason, end.message};
  }
  std::vector<std::string> tasks;
  for (const auto& [task_id, task] : executor.launched) tasks.push_back(task_id);
  for (const TaskInfo& task : executor.QueuedTasks()) tasks.push_back(task.task_id().value());
  for (const std::string& task_id : tasks) {
    Report(now, framework, &executor, task_id, why.state, why.reason, why.message);
  }
}

void Agent::RemoveExecutor(AgentFramework& framework, const std::string& executor_id) {
  auto found = framework.executors.find(executor_id);
  AgentExecutor& executor = found->second;
  if (executor.checkpoint) actions_.emplace_back(SaveEnd{executor.key});
  for (auto* tasks : {&executor.launched, &executor.terminated}) {
    for (auto& [task_id, task] : *tasks) {
      framework.executor_of_task.erase(task_id);
      executor.completed.push_back(std::move(task));
    }
    tasks->clear();
  }
  for (const TaskInfo& task : executor.QueuedTasks()) {
    framework.executor_of_task.erase(task.task_id().value());
  }
  executor.queued.clear();
  framework.completed.push_back(std::move(executor));
  if (framework.completed.size() > kCompletedExecutorsMax) framework.completed.pop_front();
  framework.executors.erase(found);
}

void Agent::RemoveIfIdle(const std::string& framework_id) {
  auto found = frameworks_.find(framework_id);
  if (found == frameworks_.end() || !found->second.executors.empty()) return;
  completed_.push_back(std::move(found->second));
  if (completed_.size() > kCompletedFrameworksMax) completed_.pop_front();
  frameworks_.erase(found);
  if (!frameworks_.empty()) return;
  drain_.reset();
  if (phase_ == AgentPhase::kTerminating) actions_.emplace_back(Exit{});
}

void Agent::Leave(Instant now) {
  phase_ = AgentPhase::kTerminating;
  ping_deadline_.reset();
  register_at_.reset();
  recovery_end_.reset();
  actions_.emplace_back(ForgetAgent{});
  if (frameworks_.empty()) {
    actions_.emplace_back(Exit{});
    return;
  }
  std::vector<std::string> ids;
  for (const auto& [id, framework] : frameworks_) ids.push_back(id);
  for (const std::string& id : ids) {
    if (AgentFramework* framework = FindFramework(id)) ShutDownFramework(now, *framework);
  }
}

}  // namespace kiln::local
