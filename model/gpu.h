// GPUs as the scheduler sees them: named devices with attributes, or a count.
#pragma once

#include <string>
#include <vector>

#include "model/ids.h"
#include "model/units.h"

namespace kiln {

// How two devices of one agent are joined, nearest first.
enum class GpuLink { kNvlink, kPcieSwitch, kSocket, kSystem };

struct Gpu {
  GpuId id;
  std::string model;  // "A100", as in the agent's inventory
  Bytes memory;
  int minor = -1;          // device number of /dev/nvidia<minor>
  std::string mig;         // profile of a slice ("1g.5gb"), empty for a whole device
  std::string link_group;  // devices of one group are joined by `link`
  GpuLink link = GpuLink::kSystem;
  bool healthy = true;

  bool operator==(const Gpu&) const = default;
};

// What a member asks for. Empty model or zero memory: any. Without a profile it gets whole devices,
// with one slices of that profile.
struct GpuRequest {
  int count = 0;
  double share = 0;  // of one device, 0 < share < 1; then count is 0
  std::string model;
  Bytes memory;      // of each device, at least
  std::string link;  // "nvlink", "pcie", "socket", or empty: the devices must be joined at least so
  std::string mig;   // "1g.5gb"

  bool operator==(const GpuRequest&) const = default;
  bool Any() const { return count > 0 || share > 0; }
  // A device without a name, of which nothing is known, does not do.
  bool Particular() const { return !model.empty() || memory.count > 0 || !mig.empty(); }
  // Devices by count do.
  bool AnyDevice() const { return !Particular() && link.empty(); }
};

}  // namespace kiln
