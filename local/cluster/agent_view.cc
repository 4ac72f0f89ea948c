// What the operator API shows of an agent.
#include "local/cluster/agent.h"

namespace kiln::local {

using mesos::v1::agent::Response;

Response::GetAgent Agent::GetAgent() const {
  Response::GetAgent answer;
  *answer.mutable_agent_info() = options_.info;
  if (drain_) {
    auto* config = answer.mutable_drain_config();
    if (drain_->max_grace_period) {
      config->mutable_max_grace_period()->set_nanoseconds(drain_->max_grace_period->count());
    }
    config->set_mark_gone(drain_->mark_gone);
    answer.mutable_estimated_drain_start_time()->set_nanoseconds(drain_start_.nanoseconds);
  }
  return answer;
}

Response::GetTasks Agent::GetTasks() const {
  Response::GetTasks answer;
  auto add = [&](const AgentFramework& framework, const AgentExecutor& executor) {
    for (const auto& task : executor.QueuedTasks()) {
      *answer.add_queued_tasks() = TaskOf(task, mesos::v1::TASK_STAGING, framework.info.id());
    }
    for (const auto& [id, task] : executor.launched) *answer.add_launched_tasks() = task;
    for (const auto& [id, task] : executor.terminated) *answer.add_terminated_tasks() = task;
    for (const auto& task : executor.completed) *answer.add_completed_tasks() = task;
  };
  for (const auto& [id, framework] : frameworks_) {
    for (const auto& [executor_id, executor] : framework.executors) add(framework, executor);
    for (const auto& executor : framework.completed) add(framework, executor);
  }
  for (const auto& framework : completed_) {
    for (const auto& executor : framework.completed) add(framework, executor);
  }
  return answer;
}

Response::GetExecutors Agent::GetExecutors() const {
  Response::GetExecutors answer;
  for (const auto& [id, framework] : frameworks_) {
    for (const auto& [executor_id, executor] : framework.executors) {
      *answer.add_executors()->mutable_executor_info() = executor.info;
    }
    for (const auto& executor : framework.completed) {
      *answer.add_completed_executors()->mutable_executor_info() = executor.info;
    }
  }
  for (const auto& framework : completed_) {
    for (const auto& executor : framework.completed) {
      *answer.add_completed_executors()->mutable_executor_info() = executor.info;
    }
  }
  return answer;
}

Response::GetFrameworks Agent::GetFrameworks() const {
  Response::GetFrameworks answer;
  for (const auto& [id, framework] : frameworks_) {
    *answer.add_frameworks()->mutable_framework_info() = framework.info;
  }
  for (const auto& framework : completed_) {
    *answer.add_completed_frameworks()->mutable_framework_info() = framework.info;
  }
  return answer;
}

}  // namespace kiln::local
