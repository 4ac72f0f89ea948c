#include "isolators/cgroups/device_cgroup.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "base/file.h"

namespace kiln::isolators {

Result<std::string> DeviceCgroup::FindHierarchy(const std::string& mounts) {
  std::ifstream in(mounts);
  std::string source, target, type, options, rest;
  while (in >> source >> target >> type >> options && std::getline(in, rest)) {
    if (type == "cgroup" && ("," + options + ",").find(",devices,") != std::string::npos)
      return target;
  }
  return Fail(ErrorCode::kNotFound, "no cgroup v1 hierarchy with the devices controller in {}",
              mounts);
}

Status DeviceCgroup::Create() const {
  if (mkdir(folder_.c_str(), 0755) == 0 || errno == EEXIST) return {};
  return Fail(ErrorCode::kUnavailable, "cgroup {} cannot be made: {}", folder_, strerror(errno));
}

Status DeviceCgroup::Remove() const {
  if (rmdir(folder_.c_str()) == 0 || errno == ENOENT) return {};
  return Fail(ErrorCode::kUnavailable, "cgroup {} cannot be removed: {}", folder_, strerror(errno));
}

// The kernel takes one rule a write and tells a refusal through it, so no stream with its own
// buffer.
Status DeviceCgroup::Write(const char* file, const std::string& text) const {
  const std::string path = folder_ + "/" + file;
  const int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  const bool done =
      fd >= 0 && write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  const int error = errno;
  if (fd >= 0) close(fd);
  if (done) return {};
  return Fail(ErrorCode::kUnavailable, "cannot write \"{}\" to {}: {}", text, path,
              strerror(error));
}

Status DeviceCgroup::AddProcess(int pid) const {
  return Write("cgroup.procs", std::to_string(pid));
}

Status DeviceCgroup::DenyAll() const { return Write("devices.deny", "a"); }

Status DeviceCgroup::Apply(const DeviceChange& change) const {
  const auto rule = [](DeviceNumber node) {
    return fmt::format("c {}:{} rwm", node.major, node.minor);
  };
  for (DeviceNumber node : change.deny) KILN_TRY_OK(Write("devices.deny", rule(node)));
  for (DeviceNumber node : change.allow) KILN_TRY_OK(Write("devices.allow", rule(node)));
  return {};
}

// A group that is gone and one that cannot be read at this moment (too many open files) differ:
// only the first holds nothing.
Result<std::string> DeviceCgroup::List() const {
  auto list = ReadFile(folder_ + "/devices.list");
  if (!list) {
    const bool gone = access(folder_.c_str(), F_OK) != 0 && errno == ENOENT;
    list.error().code = gone ? ErrorCode::kNotFound : ErrorCode::kUnavailable;
  }
  return list;
}

Result<std::set<DeviceNumber>> DeviceCgroup::Allowed() const {
  return List().map(ParseDevicesList);
}

Status DeviceCgroup::CheckClosed() const {
  KILN_TRY(const std::string list, List());
  if (!list.starts_with('a')) return {};
  return Fail(ErrorCode::kFailedPrecondition,
              "cgroup {} lets every device pass, expected a list of single devices", folder_);
}

std::set<DeviceNumber> ParseDevicesList(const std::string& text) {
  std::set<DeviceNumber> devices;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    DeviceNumber node;
    char access[8] = "";
    if (std::sscanf(line.c_str(), "c %d:%d %7s", &node.major, &node.minor, access) == 3 &&
        std::strchr(access, 'r') != nullptr && std::strchr(access, 'w') != nullptr)
      devices.insert(node);
  }
  return devices;
}

}  // namespace kiln::isolators
