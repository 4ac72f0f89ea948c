#include "local/node/cgroup.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "base/file.h"
#include "base/log.h"

namespace kiln::local {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kSharesPerCpu = 1024;
constexpr uint64_t kSharesMin = 2;
constexpr uint64_t kPeriodMicroseconds = 100'000;
constexpr uint64_t kQuotaMin = 1'000;
constexpr uint64_t kMemoryMin = uint64_t{32} << 20;
// How often a group whose processes are dying is tried again, and for how long.
constexpr std::chrono::milliseconds kRetry(5);
constexpr int kRetries = 400;

// Kernel files take one write and report refusals by errno.
Status Put(const std::string& path, const std::string& text) {
  const int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return Failure(FileError("open", path, errno));
  const ssize_t written = write(fd, text.data(), text.size());
  const int error = errno;
  close(fd);
  if (written < 0) return Failure(FileError("write", path, error));
  return {};
}

std::string Get(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// The number behind "name " in a file of lines.
uint64_t Counter(const std::string& path, const std::string& name) {
  std::istringstream text(Get(path));
  std::string word;
  uint64_t value = 0;
  while (text >> word >> value) {
    if (word == name) return value;
  }
  return 0;
}

bool MakeFolder(const std::string& path) {
  std::error_code error;
  fs::create_directory(path, error);
  return !error;
}

}  // namespace

Cgroup::Cgroup(std::string cpu_folder, std::string memory_folder, bool unified)
    : cpu_(std::move(cpu_folder)), memory_(std::move(memory_folder)), unified_(unified) {}

std::vector<std::string> Cgroup::JoinFiles() const {
  if (empty()) return {};
  if (unified_) return {cpu_ + "/cgroup.procs"};
  return {cpu_ + "/cgroup.procs", memory_ + "/cgroup.procs"};
}

Status Cgroup::SetLimits(const CgroupLimits& limits) const {
  if (empty()) return {};
  const uint64_t memory = std::max(limits.memory, kMemoryMin);
  const std::string quota =
      limits.cpus_quota
          ? std::to_string(std::max(
                kQuotaMin, static_cast<uint64_t>(*limits.cpus_quota * kPeriodMicroseconds)))
          : "";
  if (unified_) {
    // Weight 100 is the default of a group: one processor.
    const auto weight =
        std::clamp(static_cast<int64_t>(limits.cpus * 100), int64_t{1}, int64_t{10'000});
    KILN_TRY_OK(Put(cpu_ + "/cpu.weight", std::to_string(weight)));
    if (!quota.empty()) {
      KILN_TRY_OK(Put(cpu_ + "/cpu.max", fmt::format("{} {}", quota, kPeriodMicroseconds)));
    }
    KILN_TRY_OK(Put(memory_ + "/memory.oom.group", "1"));
    return Put(memory_ + "/memory.max", std::to_string(memory));
  }
  const auto shares =
      std::max(kSharesMin, static_cast<uint64_t>(limits.cpus * static_cast<double>(kSharesPerCpu)));
  KILN_TRY_OK(Put(cpu_ + "/cpu.shares", std::to_string(shares)));
  if (!quota.empty()) {
    KILN_TRY_OK(Put(cpu_ + "/cpu.cfs_period_us", std::to_string(kPeriodMicroseconds)));
    KILN_TRY_OK(Put(cpu_ + "/cpu.cfs_quota_us", quota));
  }
  KILN_TRY_OK(Put(memory_ + "/memory.soft_limit_in_bytes", std::to_string(memory)));
  return Put(memory_ + "/memory.limit_in_bytes", std::to_string(memory));
}

bool Cgroup::OutOfMemory() const {
  if (empty()) return false;
  return Counter(memory_ + (unified_ ? "/memory.events" : "/memory.oom_control"), "oom_kill") > 0;
}

uint64_t Cgroup::MemoryMax() const {
  uint64_t bytes = 0;
  std::istringstream(Get(memory_ + (unified_ ? "/memory.peak" : "/memory.max_usage_in_bytes"))) >>
      bytes;
  return bytes;
}

std::optional<int> Cgroup::WatchMemory() const {
  if (empty() || unified_) return std::nullopt;
  const int control = open((memory_ + "/memory.oom_control").c_str(), O_RDONLY | O_CLOEXEC);
  if (control < 0) return std::nullopt;
  const int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  const auto armed = Put(memory_ + "/cgroup.event_control", fmt::format("{} {}", event, control));
  close(control);
  if (armed) return event;
  close(event);
  return std::nullopt;
}

void Cgroup::Kill() const {
  if (empty()) return;
  if (unified_ && Put(cpu_ + "/cgroup.kill", "1")) return;
  for (const std::string& file : JoinFiles()) {
    std::istringstream pids(Get(file));
    for (pid_t pid = 0; pids >> pid;) kill(pid, SIGKILL);
  }
}

void Cgroup::Remove() const {
  for (const std::string& folder : {cpu_, memory_}) {
    if (folder.empty()) continue;
    for (int i = 0; i < kRetries; ++i) {
      if (rmdir(folder.c_str()) == 0 || errno != EBUSY) break;
      Kill();
      std::this_thread::sleep_for(kRetry);
    }
  }
}

std::string Cgroup::Text() const {
  return empty() ? "-" : cpu_ + ":" + memory_ + ":" + (unified_ ? "2" : "1");
}

Cgroup Cgroup::FromText(const std::string& text) {
  const size_t first = text.find(':');
  const size_t last = text.rfind(':');
  if (first == std::string::npos || first == last) return {};
  return Cgroup(text.substr(0, first), text.substr(first + 1, last - first - 1),
                text.substr(last + 1) == "2");
}

Cgroups::Cgroups(std::string cpu, std::string memory, bool unified)
    : cpu_(std::move(cpu)), memory_(std::move(memory)), unified_(unified) {}

std::unique_ptr<Cgroups> Cgroups::Open(const std::string& name, const std::string& root) {
  const bool unified = fs::exists(root + "/cgroup.controllers");
  std::string cpu = root + (unified ? "/" : "/cpu/") + name;
  std::string memory = unified ? cpu : root + "/memory/" + name;
  if (MakeFolder(cpu) && MakeFolder(memory)) {
    // The unified tree hands a controller down only where every folder above does.
    if (!unified || (Put(root + "/cgroup.subtree_control", "+cpu +memory") &&
                     Put(cpu + "/cgroup.subtree_control", "+cpu +memory"))) {
      return std::unique_ptr<Cgroups>(new Cgroups(std::move(cpu), std::move(memory), unified));
    }
  }
  rmdir(cpu.c_str());
  LogWarning("control groups below {} cannot be made: containers run without limits", root);
  return nullptr;
}

Cgroups::~Cgroups() {
  rmdir(cpu_.c_str());
  if (!unified_) rmdir(memory_.c_str());
}

Result<Cgroup> Cgroups::Create(const std::string& container_id, const CgroupLimits& limits) const {
  Cgroup group(cpu_ + "/" + container_id, memory_ + "/" + container_id, unified_);
  for (const std::string& parent : {cpu_, memory_}) {
    if (!MakeFolder(parent + "/" + container_id)) {
      group.Remove();
      return Fail(ErrorCode::kUnavailable, "cannot make a control group in {}", parent);
    }
  }
  if (auto set = group.SetLimits(limits); !set) {
    group.Remove();
    return Failure(set.error());
  }
  return group;
}

}  // namespace kiln::local
