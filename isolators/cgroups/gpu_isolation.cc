#include "isolators/cgroups/gpu_isolation.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "isolators/cgroups/device_cgroup.h"

namespace kiln::isolators {
namespace {

std::vector<DeviceNumber> ControlNodes(const std::string& dev) {
  std::vector<DeviceNumber> nodes;
  for (const char* name : {"nvidiactl", "nvidia-uvm", "nvidia-uvm-tools"}) {
    struct stat info {};
    if (stat((dev + "/" + name).c_str(), &info) == 0 && S_ISCHR(info.st_mode))
      nodes.push_back(
          {static_cast<int>(major(info.st_rdev)), static_cast<int>(minor(info.st_rdev))});
  }
  return nodes;
}

// A sick device is no part of the inventory: nobody can be given it.
std::vector<GpuDevice> Devices(const std::vector<Gpu>& gpus) {
  std::vector<GpuDevice> devices;
  for (const Gpu& gpu : gpus)
    if (gpu.healthy) devices.push_back({gpu.id, {{GpuIsolation::kGpuMajor, gpu.minor}}});
  return devices;
}

}  // namespace

GpuIsolation::GpuIsolation(GpuIsolationOptions options, const std::vector<Gpu>& gpus)
    : options_(std::move(options)),
      control_(ControlNodes(options_.dev)),
      plan_(Devices(gpus), control_) {}

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
  const std::vector<GpuId> held = plan_.HeldBy(container);
  if (held.empty()) return {};
  plan_.Release(container);
  return Update(container, std::set<GpuId>(held.begin(), held.end()));
}

Status GpuIsolation::Update(const ContainerId& container, const GpuWish& wish) {
  const std::vector<GpuId> before = plan_.HeldBy(container);
  KILN_TRY(const DeviceChange change, Decide(container, wish));
  if (change == DeviceChange{}) return {};
  Status written = DeviceCgroup(Folder(container)).Apply(change);
  if (!written) (void)plan_.Grant(container, std::set<GpuId>(before.begin(), before.end()));
  return written;
}

void GpuIsolation::Cleanup(const ContainerId& container) { plan_.Release(container); }

Status GpuIsolation::Recover(const ContainerId& container) {
  const DeviceCgroup group(Folder(container));
  KILN_TRY(const std::set<DeviceNumber> allowed, group.Allowed());
  return group.Apply(plan_.Recover(container, allowed));
}

}  // namespace kiln::isolators
