// Which GPUs a container may open, decided as a value: device rules to add and to take back.
#pragma once

#include <compare>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/ids.h"

namespace kiln::isolators {

using ContainerId = StrongId<struct ContainerTag>;

// A character device of the kernel.
struct DeviceNumber {
  int major = 0;
  int minor = 0;

  auto operator<=>(const DeviceNumber&) const = default;
};

// A GPU, or a slice of one, and the nodes that whoever uses it must open: /dev/nvidia<minor>, and
// for a MIG slice the parent's node and the two capability nodes. Two slices of one device share
// the parent's node, so the capability nodes tell them apart. Who holds a sick device keeps it;
// nobody is given it anew.
struct GpuDevice {
  GpuId id;
  std::vector<DeviceNumber> nodes;
  bool healthy = true;

  bool operator==(const GpuDevice&) const = default;
};

// What to write into the devices cgroup of a container, in this order: deny first, so that a device
// never is open to two.
struct DeviceChange {
  std::vector<DeviceNumber> deny;
  std::vector<DeviceNumber> allow;

  bool operator==(const DeviceChange&) const = default;
};

// Who holds which GPU on one agent. No GPU is held by two containers.
//
// Threads: one. Failure: an error leaves everything as it was.
class GpuPlan {
 public:
  // `control` are the nodes that every container with a GPU needs (nvidiactl, nvidia-uvm).
  GpuPlan(std::vector<GpuDevice> inventory, std::vector<DeviceNumber> control);

  // Makes `wanted` the whole set of the container: named ones, as a set resource gives them.
  Result<DeviceChange> Grant(const ContainerId& container, const std::set<GpuId>& wanted);
  // The same by count: keeps what the container has, adds the lowest free, gives back the last
  // added.
  Result<DeviceChange> GrantCount(const ContainerId& container, int count);
  // The container is gone; an unknown one is no fault.
  void Release(const ContainerId& container);

  // After a restart: the container's cgroup lets these nodes pass. What belongs whole to one GPU
  // becomes its holding; what another container already holds, or is no GPU's, comes back as to be
  // denied.
  DeviceChange Recover(const ContainerId& container, const std::set<DeviceNumber>& allowed);

  std::vector<GpuId> Free() const;                                // the healthy ones
  std::vector<GpuId> HeldBy(const ContainerId& container) const;  // in the order of the grants

 private:
  const GpuDevice* Find(const GpuId& id) const;
  bool IsFree(const GpuId& id) const;
  std::set<DeviceNumber> NodesOf(const std::vector<GpuId>& gpus) const;
  DeviceChange Replace(const ContainerId& container, std::vector<GpuId> held);

  std::vector<GpuDevice> inventory_;
  std::vector<DeviceNumber> control_;
  std::map<ContainerId, std::vector<GpuId>> held_;
};

}  // namespace kiln::isolators
