// Carries a GpuPlan out on the devices cgroups of one agent's containers. What the Mesos module
// calls, without Mesos.
#pragma once

#include <set>
#include <string>
#include <variant>
#include <vector>

#include "base/result.h"
#include "isolators/gpu_plan/gpu_plan.h"
#include "model/gpu.h"

namespace kiln::isolators {

// What a container's resources ask for: names from the set resource, or a count from the scalar
// `gpus`.
using GpuWish = std::variant<std::set<GpuId>, int>;

struct GpuIsolationOptions {
  std::string hierarchy;               // mount point of the devices controller
  std::string cgroups_root = "mesos";  // the agent's --cgroups_root
  std::string dev = "/dev";            // where the device nodes are
};

// Threads: one. Failure: a grant that cannot be written to the cgroup is taken back from the plan.
class GpuIsolation {
 public:
  // NVIDIA's character device major; the minor is NVML's.
  static constexpr int kGpuMajor = 195;

  // The control nodes are looked up in `dev`; those that are not there are left out.
  GpuIsolation(GpuIsolationOptions options, const std::vector<Gpu>& gpus);

  // The container is being made; its cgroup may not exist yet, so nothing is written.
  Status Prepare(const ContainerId& container, const GpuWish& wish);
  // The cgroup exists: opens to it all that the container holds.
  Status Isolate(const ContainerId& container);
  // The container's resources have changed.
  Status Update(const ContainerId& container, const GpuWish& wish);
  void Cleanup(const ContainerId& container);
  // After a restart of the agent, for each container that lives.
  Status Recover(const ContainerId& container);

  const GpuPlan& plan() const { return plan_; }

 private:
  std::string Folder(const ContainerId& container) const;
  Result<DeviceChange> Decide(const ContainerId& container, const GpuWish& wish);

  GpuIsolationOptions options_;
  std::vector<DeviceNumber> control_;
  GpuPlan plan_;
};

}  // namespace kiln::isolators
