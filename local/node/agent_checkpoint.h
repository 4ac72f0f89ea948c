// What an agent keeps on disk for its next life.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "base/result.h"
#include "local/cluster/agent_values.h"

namespace kiln::local {

// Files below <work_dir>/meta, in the places where Mesos has them; `meta/slaves/latest` names the
// life that goes on. Each run of an executor has a journal of its tasks, updates and
// acknowledgements. Writes reach the kernel before a Save returns, so they outlive the process; a
// machine that goes down takes the executors with it, and then nothing of this is of use.
// Threads: one. Owner: the agent's node. Failing writes are logged: the agent goes on.
class AgentCheckpoint {
 public:
  explicit AgentCheckpoint(std::string work_dir);
  ~AgentCheckpoint();
  AgentCheckpoint(const AgentCheckpoint&) = delete;
  AgentCheckpoint& operator=(const AgentCheckpoint&) = delete;

  // None in a first life. Pids are left out: which executors still run is not known here.
  std::optional<RecoveredAgent> Load();

  void Save(const SaveAgent& action);
  void Save(const SaveFramework& action);
  void Save(const SaveExecutor& action);
  void Save(const SaveTask& action);
  void Save(const SaveUpdate& action);
  void Save(const SaveAcknowledgement& action);
  void Save(const SaveEnd& action);
  // Makes the folders of volumes that are new and removes those of volumes that are no more.
  void Save(const SaveResources& action);
  // They outlive Forget, as the volumes do.
  SaveResources LoadResources() const;
  // <work_dir>/volumes/roles/<role>/<persistence id>
  std::string VolumeFolder(const mesos::v1::Resource& volume) const;
  // The next Load finds nothing.
  void Forget();

 private:
  std::string FrameworkFolder(const std::string& framework_id) const;
  std::string ExecutorFolder(const RunKey& key) const;
  std::string Journal(const RunKey& key) const;
  void Append(const RunKey& key, char kind, const std::string& bytes);

  std::string slaves_;     // <work_dir>/meta/slaves
  std::string resources_;  // <work_dir>/meta/resources
  std::string volumes_;    // <work_dir>/volumes/roles
  std::string agent_id_;
  std::map<std::string, int> journals_;  // open ones, by container id
};

// The port of the life that goes on in this folder: its executors look for the agent there. 0:
// none.
int SavedAgentPort(const std::string& work_dir);

}  // namespace kiln::local
