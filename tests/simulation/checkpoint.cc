#include "tests/simulation/checkpoint.h"

namespace kiln::simulation {

std::optional<local::RecoveredAgent> Checkpoint::Load() const {
  if (!id_) return std::nullopt;
  local::RecoveredAgent agent{.id = *id_};
  for (const auto& [id, framework] : frameworks_) {
    local::RecoveredFramework recovered{.info = framework.info};
    for (const auto& [executor_id, executor] : framework.executors) {
      recovered.executors.push_back(executor);
    }
    if (!recovered.executors.empty()) agent.frameworks.push_back(std::move(recovered));
  }
  return agent;
}

void Checkpoint::Save(const local::SaveAgent& action) {
  if (!id_ || id_->value() != action.info.id().value()) frameworks_.clear();
  id_ = action.info.id();
}

void Checkpoint::Save(const local::SaveFramework& action) {
  frameworks_[action.framework.id().value()].info = action.framework;
}

void Checkpoint::Save(const local::SaveExecutor& action) {
  frameworks_[action.key.framework_id].executors[action.key.executor_id] = {
      .info = action.executor, .container_id = action.key.container_id, .command = action.command};
}

void Checkpoint::Save(const local::SaveTask& action) {
  frameworks_[action.key.framework_id].executors[action.key.executor_id].tasks.push_back(
      {.task = action.task});
}

local::RecoveredTask* Checkpoint::FindTask(const local::RunKey& key, const std::string& task_id) {
  const auto framework = frameworks_.find(key.framework_id);
  if (framework == frameworks_.end()) return nullptr;
  const auto executor = framework->second.executors.find(key.executor_id);
  if (executor == framework->second.executors.end()) return nullptr;
  for (local::RecoveredTask& task : executor->second.tasks) {
    if (task.task.task_id().value() == task_id) return &task;
  }
  return nullptr;
}

void Checkpoint::Save(const local::SaveUpdate& action) {
  if (auto* task = FindTask(action.key, action.status.task_id().value())) {
    task->updates.push_back(action.status);
  }
}

void Checkpoint::Save(const local::SaveAcknowledgement& action) {
  if (auto* task = FindTask(action.key, action.task_id)) task->acknowledged.insert(action.uuid);
}

void Checkpoint::Save(const local::SaveEnd& action) {
  const auto framework = frameworks_.find(action.key.framework_id);
  if (framework == frameworks_.end()) return;
  framework->second.executors.erase(action.key.executor_id);
  if (framework->second.executors.empty()) frameworks_.erase(framework);
}

}  // namespace kiln::simulation
