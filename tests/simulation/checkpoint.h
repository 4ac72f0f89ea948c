// The disk of an agent.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "local/cluster/agent_values.h"

namespace kiln::simulation {

// Keeps what an agent says that must last, as AgentCheckpoint keeps it in files.
class Checkpoint {
 public:
  // Without pids: which executors still run is not known here.
  std::optional<local::RecoveredAgent> Load() const;
  const local::SaveResources& resources() const { return resources_; }
  void Forget() { *this = Checkpoint(std::move(resources_)); }

  void Save(const local::SaveAgent& action);
  void Save(const local::SaveFramework& action);
  void Save(const local::SaveExecutor& action);
  void Save(const local::SaveTask& action);
  void Save(const local::SaveUpdate& action);
  void Save(const local::SaveAcknowledgement& action);
  void Save(const local::SaveEnd& action);
  void Save(const local::SaveResources& action) { resources_ = action; }

  Checkpoint() = default;

 private:
  struct Framework {
    mesos::v1::FrameworkInfo info;
    std::map<std::string, local::RecoveredExecutor> executors;
  };
  explicit Checkpoint(local::SaveResources resources) : resources_(std::move(resources)) {}
  local::RecoveredTask* FindTask(const local::RunKey& key, const std::string& task_id);

  std::optional<mesos::v1::AgentID> id_;
  std::map<std::string, Framework> frameworks_;
  local::SaveResources resources_;
};

}  // namespace kiln::simulation
