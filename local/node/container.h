// The containers of an agent: sandboxes are filled, executors started, watched and ended, with all
// their processes.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "local/cluster/agent_values.h"
#include "local/node/cgroup.h"
#include "local/node/container_process.h"
#include "wire/net/loop.h"

namespace kiln::local {

struct ContainerSpec {
  RunKey key;
  ProcessSpec process;
  std::vector<mesos::v1::CommandInfo::URI> uris;  // fetched into the sandbox before the start
  CgroupLimits limits;
};

struct ContainerCallbacks {
  std::function<void(const RunKey&, pid_t)> started;
  std::function<void(const RunKey&, const std::string& why)> failed;  // was never started
  std::function<void(const RunKey&, const ContainerEnd&)> ended;
};

struct ContainerUsage {
  ProcessUsage process;
  CgroupLimits limits;
};

// Threads: the loop's alone; callbacks come on it, never inside a call. Owner: the agent's node.
// Destroying it forgets the containers and lets them live, as kill -9 of an agent does.
// A file for each container in `run_folder` tells a later life what runs.
class Containers {
 public:
  Containers(net::Loop& loop, std::string run_folder, bool cgroups, ContainerCallbacks callbacks);
  ~Containers();

  bool has_cgroups() const { return cgroups_ != nullptr; }
  void Launch(ContainerSpec spec);
  void Update(const std::string& container_id, const CgroupLimits& limits);
  // Also of one that is still being filled; `ended` or `failed` follows.
  void Destroy(const std::string& container_id);
  std::optional<ContainerUsage> Usage(const std::string& container_id) const;

  // The process of a former life's container, if it still runs: it is watched from here on.
  std::optional<pid_t> Attach(const RunKey& key, const std::string& directory);
  // Ends whatever a former life has left and Attach was not called for.
  void EndStrays();

 private:
  struct Container;

  void Start(const std::string& container_id);
  void Watch(Container& container, int pid_descriptor);
  void OnExit(const std::string& container_id);
  void Finish(const std::string& container_id);
  void LaunchFailed(const std::string& container_id, const std::string& why);
  void Post(std::function<void()> function);
  std::string FileOf(const std::string& container_id) const;

  net::Loop& loop_;
  std::string run_folder_;
  ContainerCallbacks callbacks_;
  std::unique_ptr<Cgroups> cgroups_;
  std::map<std::string, std::unique_ptr<Container>> containers_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace kiln::local
