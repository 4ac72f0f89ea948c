#include "isolators/cgroups/gpu_isolation.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cstdio>
#include <cstdlib>
#include <sstream>

#include "base/file.h"
#include "isolators/cgroups/device_cgroup.h"

namespace kiln::isolators {
namespace {

Result<DeviceNumber> NodeAt(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) == 0 && S_ISCHR(info.st_mode))
    return DeviceNumber{static_cast<int>(major(info.st_rdev)),
                        static_cast<int>(minor(info.st_rdev))};
  return Fail(ErrorCode::kFailedPrecondition,
              "{} is missing, expected the character device of NVIDIA's driver", path);
}

Result<std::vector<DeviceNumber>> ControlNodes(const GpuIsolationOptions& options) {
  const bool required = options.load_uvm != nullptr;
  if (required && !NodeAt(options.dev + "/nvidia-uvm")) KILN_TRY_OK(options.load_uvm());
  std::vector<DeviceNumber> nodes;
  for (const std::string name : {"nvidiactl", "nvidia-uvm", "nvidia-uvm-tools"}) {
    const auto node = NodeAt(options.dev + "/" + name);
    if (node) nodes.push_back(*node);
    if (!node && required && name != "nvidia-uvm-tools") return Failure(node.error());
  }
  return nodes;
}

// The major of /dev/nvidia-caps/*: the kernel chooses it when the driver is loaded.
Result<int> CapabilityMajor(const std::string& proc) {
  KILN_TRY(const std::string text, ReadFile(proc + "/devices"));
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    int major = 0;
    char name[32] = "";
    if (std::sscanf(line.c_str(), "%d %31s", &major, name) == 2 &&
        std::string_view(name) == "nvidia-caps")
      return major;
  }
  return Fail(ErrorCode::kFailedPrecondition,
              "{}/devices has no nvidia-caps, expected a driver with MIG", proc);
}

Result<DeviceNumber> CapabilityNode(const std::string& proc, const std::string& file) {
  const std::string path = proc + "/driver/nvidia/capabilities/" + file;
  DeviceNumber node;
  KILN_TRY(node.major, CapabilityMajor(proc));
  KILN_TRY(const std::string text, ReadFile(path));
  if (std::sscanf(text.c_str(), "DeviceFileMinor: %d", &node.minor) == 1) return node;
  return Fail(ErrorCode::kFailedPrecondition, "{} is \"{}\", expected \"DeviceFileMinor: N\"", path,
              text);
}

Result<std::vector<GpuDevice>> Devices(const std::string& proc, const std::vector<Gpu>& gpus,
                                       const GpuCapabilities& capabilities) {
  std::vector<GpuDevice> devices;
  for (const Gpu& gpu : gpus) {
    GpuDevice device{gpu.id, {{GpuIsolation::kGpuMajor, gpu.minor}}, gpu.healthy};
    if (const auto found = capabilities.find(gpu.id); found != capabilities.end()) {
      for (const std::string& file : found->second) {
        auto node = CapabilityNode(proc, file);
        if (!node)
          return Fail(ErrorCode::kFailedPrecondition, "GPU slice {}: {}", gpu.id.text,
                      node.error().message);
        device.nodes.push_back(*node);
      }
    }
    if (!gpu.mig.empty() && device.nodes.size() != 3)
      return Fail(ErrorCode::kFailedPrecondition,
                  "GPU slice {} has {} capabilities, expected those of its GPU instance (gi=) and "
                  "its compute instance (ci=)",
                  gpu.id.text, device.nodes.size() - 1);
    devices.push_back(std::move(device));
  }
  return devices;
}

}  // namespace

Status LoadUvm() {
  const int ended = std::system("nvidia-modprobe -u -c 0");
  if (ended == 0) return {};
  return Fail(ErrorCode::kFailedPrecondition,
              "nvidia-modprobe -u -c 0 ended with status {}, expected it to make /dev/nvidia-uvm",
              ended);
}

Result<GpuIsolation> GpuIsolation::Create(GpuIsolationOptions options, const std::vector<Gpu>& gpus,
                                          const GpuCapabilities& capabilities) {
  KILN_TRY(std::vector<DeviceNumber> control, ControlNodes(options));
  KILN_TRY(std::vector<GpuDevice> devices, Devices(options.proc, gpus, capabilities));
  return GpuIsolation(std::move(options), GpuPlan(std::move(devices), std::move(control)));
}

std::string GpuIsolation::Folder(const ContainerId& container) const {
  return options_.hierarchy + "/" + options_.cgroups_root + "/" + container.text;
}

Result<DeviceChange> GpuIsolation::Decide(const ContainerId& container, const GpuWish& wish) {
  if (const auto* names = std::get_if<std::set<GpuId>>(&wish))
    return plan_.Grant(container, *names);
  return plan_.GrantCount(container, std::get<int>(wish));
}

Status GpuIsolation::Prepare(const ContainerId& container, const GpuWish& wish) {
  return Decide(container, wish).map([](const DeviceChange&) {});
}

Status GpuIsolation::Isolate(const ContainerId& container) {
  if (const Status closed = DeviceCgroup(Folder(container)).CheckClosed(); !closed)
    return Failure(Within("isolator cgroups/devices is not on", closed.error()));
  const std::vector<GpuId> held = plan_.HeldBy(container);
  if (held.empty()) return {};
  plan_.Release(container);
  return Update(container, std::set<GpuId>(held.begin(), held.end()));
}

Status GpuIsolation::Update(const ContainerId& container, const GpuWish& wish) {
  // Taken back as a whole: a sick GPU cannot be granted again to whom it belonged.
  GpuPlan before = plan_;
  KILN_TRY(const DeviceChange change, Decide(container, wish));
  if (change == DeviceChange{}) return {};
  Status written = DeviceCgroup(Folder(container)).Apply(change);
  if (!written) plan_ = std::move(before);
  return written;
}

void GpuIsolation::Cleanup(const ContainerId& container) { plan_.Release(container); }

Status GpuIsolation::Recover(const ContainerId& container) {
  const DeviceCgroup group(Folder(container));
  const auto allowed = group.Allowed();
  if (!allowed && allowed.error().code == ErrorCode::kNotFound) return {};
  if (!allowed) return Failure(allowed.error());
  return group.Apply(plan_.Recover(container, *allowed));
}

}  // namespace kiln::isolators
