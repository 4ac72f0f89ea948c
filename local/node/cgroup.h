// Control groups that hold a container to its share of processor time and to its memory: version 1
// (cpu and memory hierarchies) or the unified tree.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace kiln::local {

struct CgroupLimits {
  double cpus = 0;                   // share, as wanted by the tasks
  uint64_t memory = 0;               // bytes, hard
  std::optional<double> cpus_quota;  // hard
};

// The groups of one container. A value of paths; it owns nothing: Remove when the container is
// over.
class Cgroup {
 public:
  Cgroup() = default;
  Cgroup(std::string cpu_folder, std::string memory_folder, bool unified);

  bool empty() const { return cpu_.empty() && memory_.empty(); }
  // Files into which a process writes "0" to join.
  std::vector<std::string> JoinFiles() const;
  Status SetLimits(const CgroupLimits& limits) const;
  // Some process was killed because the memory was used up.
  bool OutOfMemory() const;
  uint64_t MemoryMax() const;  // bytes used at most
  // A descriptor that becomes readable at the first process killed for memory; the caller's. None
  // in the unified tree, where the kernel ends the whole group at once.
  std::optional<int> WatchMemory() const;
  // Kills every process in the groups.
  void Kill() const;
  void Remove() const;
  // The folders, for a later life: "cpu:memory:unified".
  std::string Text() const;
  static Cgroup FromText(const std::string& text);

 private:
  std::string cpu_;
  std::string memory_;
  bool unified_ = false;
};

// The groups of all containers of this process, in a folder of its name.
// Threads: one. Owner: the agent. The folder goes when this goes, if no group is left in it.
class Cgroups {
 public:
  // None, with one line in the log, where groups cannot be made.
  static std::unique_ptr<Cgroups> Open(const std::string& name,
                                       const std::string& root = "/sys/fs/cgroup");
  ~Cgroups();
  Cgroups(const Cgroups&) = delete;
  Cgroups& operator=(const Cgroups&) = delete;

  Result<Cgroup> Create(const std::string& container_id, const CgroupLimits& limits) const;

 private:
  Cgroups(std::string cpu, std::string memory, bool unified);

  std::string cpu_;
  std::string memory_;
  bool unified_;
};

}  // namespace kiln::local
