// The devices controller of cgroup v1: which character devices a group of processes may open.
#pragma once

#include <set>
#include <string>

#include "base/result.h"
#include "isolators/gpu_plan/gpu_plan.h"

namespace kiln::isolators {

// One cgroup of the devices hierarchy, by its folder. The value owns nothing: Remove is asked for.
class DeviceCgroup {
 public:
  // The mount point of the devices hierarchy, from /proc/mounts. kNotFound where the kernel or the
  // host has none.
  static Result<std::string> FindHierarchy(const std::string& mounts = "/proc/mounts");

  explicit DeviceCgroup(std::string folder) : folder_(std::move(folder)) {}

  Status Create() const;
  // Fails while processes are in it.
  Status Remove() const;
  Status AddProcess(int pid) const;
  // Closes every device to the group.
  Status DenyAll() const;
  // Writes the change, denials first. Access is read, write and mknod.
  Status Apply(const DeviceChange& change) const;
  // The character devices that are open to the group one by one; wildcards are left out. kNotFound
  // where there is no such group, kUnavailable where its list cannot be read.
  Result<std::set<DeviceNumber>> Allowed() const;
  // Fails where the group is missing (kNotFound), cannot be read (kUnavailable), or lets every
  // device pass (kFailedPrecondition), as one does on which DenyAll was never called.
  Status CheckClosed() const;
  const std::string& folder() const { return folder_; }

 private:
  Status Write(const char* file, const std::string& text) const;
  Result<std::string> List() const;
  std::string folder_;
};

// The lines of devices.list that name one character device ("c 195:0 rwm").
std::set<DeviceNumber> ParseDevicesList(const std::string& text);

}  // namespace kiln::isolators
