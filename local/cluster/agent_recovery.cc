// How an agent goes on from what its former life saved.
#include <utility>

#include "local/cluster/agent.h"

namespace kiln::local {

using mesos::v1::Task;
using mesos::v1::TaskStatus;

namespace {

AgentExecutor RecoverExecutor(AgentFramework& framework, const RecoveredExecutor& saved,
                              TaskUpdates& updates) {
  AgentExecutor executor;
  executor.key = {framework.id(), saved.info.executor_id().value(), saved.container_id};
  executor.info = saved.info;
  executor.command = saved.command;
  executor.checkpoint = true;
  executor.pid = saved.pid;
  executor.Take(saved.info.resources());
  for (const RecoveredTask& recovered : saved.tasks) {
    Task task = recovered.task;
    const std::string& task_id = task.task_id().value();
    bool acknowledged = true;
    for (const TaskStatus& status : recovered.updates) {
      Note(task, status);
      acknowledged = recovered.acknowledged.contains(status.uuid());
    }
    updates.Recover({framework.id(), task_id}, recovered.updates, recovered.acknowledged);
    if (!IsTerminal(task.state())) {
      executor.Take(task.resources());
      executor.launched[task_id] = task;
    } else if (!acknowledged) {
      executor.terminated[task_id] = task;
    } else {
      executor.completed.push_back(task);
      continue;
    }
    framework.executor_of_task[task_id] = executor.key.executor_id;
  }
  return executor;
}

}  // namespace

void Agent::Recover(Instant now, const RecoveredAgent& state) {
  *options_.info.mutable_id() = state.id;
  phase_ = AgentPhase::kRecovering;
  std::vector<RunKey> ended;
  for (const RecoveredFramework& saved : state.frameworks) {
    AgentFramework& framework = frameworks_[saved.info.id().value()];
    framework.info = saved.info;
    for (const RecoveredExecutor& saved_executor : saved.executors) {
      AgentExecutor executor = RecoverExecutor(framework, saved_executor, updates_);
      if (!executor.pid) ended.push_back(executor.key);
      framework.executors[executor.key.executor_id] = std::move(executor);
    }
  }
  recovery_end_ = state.frameworks.empty() ? now : now + options_.executor_reregistration_timeout;
  for (const RunKey& key : ended) ContainerEnded(now, key, {});
}

void Agent::EndRecovery(Instant now) {
  recovery_end_.reset();
  for (auto& [framework_id, framework] : frameworks_) {
    for (auto& [executor_id, executor] : framework.executors) {
      if (executor.state != ExecutorState::kRegistering) continue;
      Destroy(executor, {framework.PartitionAware() ? mesos::v1::TASK_GONE : mesos::v1::TASK_LOST,
                         TaskStatus::REASON_EXECUTOR_REREGISTRATION_TIMEOUT,
                         "Executor did not reregister within " +
                             DurationText(options_.executor_reregistration_timeout)});
    }
  }
  Disconnect(now);
}

}  // namespace kiln::local
