#include "isolators/cgroups/device_cgroup.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

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

Result<std::set<DeviceNumber>> DeviceCgroup::Allowed() const {
  std::ifstream in(folder_ + "/devices.list");
  if (!in) return Fail(ErrorCode::kNotFound, "{}/devices.list cannot be read", folder_);
  std::stringstream text;
  text << in.rdbuf();
  return ParseDevicesList(text.str());
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
