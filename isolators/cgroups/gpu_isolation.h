// Carries a GpuPlan out on the devices cgroups of one agent's containers. What the Mesos module
// calls, without Mesos.
#pragma once

#include <functional>
#include <map>
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
  std::string proc = "/proc";          // where the driver tells the numbers of capabilities
  // Makes the node nvidia-uvm where it is missing. Set, the GPUs are a driver's, and nvidiactl and
  // nvidia-uvm must be there; not set, they are stand-ins, and whichever is missing is left out.
  std::function<Status()> load_uvm;
};

// Of each MIG slice the files of its two capabilities, below driver/nvidia/capabilities of `proc`:
// "gpu0/mig/gi1/access" and "gpu0/mig/gi1/ci0/access".
using GpuCapabilities = std::map<GpuId, std::vector<std::string>>;

// Runs `nvidia-modprobe -u -c 0`: it loads the driver's module nvidia-uvm, which nothing else loads
// before CUDA first runs, and makes its nodes. kFailedPrecondition where that fails.
Status LoadUvm();

// Threads: one. Failure: a grant that cannot be written to the cgroup is taken back from the plan.
class GpuIsolation {
 public:
  // NVIDIA's character device major; the minor is NVML's.
  static constexpr int kGpuMajor = 195;

  // kFailedPrecondition where a control node of the driver, or a slice's capability, is missing.
  static Result<GpuIsolation> Create(GpuIsolationOptions options, const std::vector<Gpu>& gpus,
                                     const GpuCapabilities& capabilities = {});

  // The container is being made; its cgroup may not exist yet, so nothing is written.
  Status Prepare(const ContainerId& container, const GpuWish& wish);
  // The cgroup exists: opens to it all that the container holds. Fails, for a container without
  // GPUs too, where the cgroup is missing or lets every device pass: Mesos's isolator
  // cgroups/devices must have closed it before.
  Status Isolate(const ContainerId& container);
  // The container's resources have changed.
  Status Update(const ContainerId& container, const GpuWish& wish);
  void Cleanup(const ContainerId& container);
  // After a restart of the agent, for each container that lives; one whose cgroup is gone holds
  // nothing. Where it fails, whoever goes on may give a GPU twice.
  Status Recover(const ContainerId& container);

  const GpuPlan& plan() const { return plan_; }

 private:
  GpuIsolation(GpuIsolationOptions options, GpuPlan plan)
      : options_(std::move(options)), plan_(std::move(plan)) {}
  std::string Folder(const ContainerId& container) const;
  Result<DeviceChange> Decide(const ContainerId& container, const GpuWish& wish);

  GpuIsolationOptions options_;
  GpuPlan plan_;
};

}  // namespace kiln::isolators
