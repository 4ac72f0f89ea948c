// What agents have and tasks need.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/ids.h"
#include "model/units.h"

namespace kiln {

struct PortRange {
  int begin = 0;
  int end = 0;  // inclusive

  bool operator==(const PortRange&) const = default;
};

// Part of one device, in thousandths.
struct GpuShare {
  GpuId id;
  int milli = 0;

  auto operator<=>(const GpuShare&) const = default;
};

// A persistent volume of one of our members, by its name in Mesos. Names are unique.
struct NamedVolume {
  std::string id;
  Bytes size;

  bool operator==(const NamedVolume&) const = default;
  bool operator<(const NamedVolume& other) const { return id < other.id; }
};

// An amount of each resource. Scalars have Mesos's three decimals, so they are whole thousandths.
struct Resources {
  int64_t cpus_milli = 0;
  int64_t revocable_cpus_milli = 0;  // that Mesos may throttle, or take back at any time
  Bytes mem;
  Bytes disk;
  int gpus = 0;                // by count: the scalar `gpus`
  std::vector<GpuId> gpu_ids;  // by name: the set `nvidia_gpu`; sorted
  // Of devices that an executor of ours holds: no resource of Mesos. Sorted, each device once.
  std::vector<GpuShare> gpu_shares;
  std::vector<PortRange> ports;      // sorted, not touching
  std::vector<NamedVolume> volumes;  // sorted; no part of `disk`

  bool operator==(const Resources&) const = default;

  Resources& operator+=(const Resources& other);
  // Requires Contains(other).
  Resources& operator-=(const Resources& other);
  // Every amount, GPU name and port of `other` is in this.
  bool Contains(const Resources& other) const;
  bool Empty() const;
  int PortCount() const;
};

// What both have.
Resources Overlap(const Resources& a, const Resources& b);

// "cpus 4, mem 8GiB, gpus {GPU-1, GPU-2}, ports [31000-31005]"; only what is there.
std::string ToText(const Resources& resources);

}  // namespace kiln
