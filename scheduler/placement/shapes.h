// The shapes of agents and the needs of groups, in the numbers of one plan.
#pragma once

#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "model/job.h"
#include "model/offer.h"
#include "scheduler/placement/shape.h"

namespace kiln::scheduler {

// A shape never shows less than the agent has for a group, so what does not fit a shape does not
// fit the agent. The other way round, ports, disk, revocable cpus, links and devices of mixed
// models are looked at on the agent itself.
class Shapes {
 public:
  Shape Of(const Agent& agent, const Resources& free) { return Of(agent, free, KindOf(agent)); }
  // The same where the kind of its devices is known.
  static Shape Of(const Agent& agent, const Resources& free, int16_t kind);
  // Kinds that come up later are not among those of the need.
  Need Of(const Group& group);
  // The group asks for more devices than a shape can show.
  static bool TooLarge(const Group& group) { return group.gpus.count > kDevicesMax; }

 private:
  static constexpr size_t kKindsMax = 64;  // the last one is any further kind
  int16_t KindOf(const Agent& agent);
  uint64_t KindsFor(const GpuRequest& request) const;

  // Distinct devices of an agent by model and memory; the number stands for them.
  using Devices =
      std::vector<std::tuple<std::string, Bytes, std::string>>;  // model, memory, profile
  std::map<Devices, int16_t> kinds_;
  std::map<Devices::value_type, uint64_t> open_;  // kinds that have such devices
};

}  // namespace kiln::scheduler
