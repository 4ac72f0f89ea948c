// Agents and devices that get no work, or only a little to try them.
#pragma once

#include <map>
#include <string>

#include "model/ids.h"

namespace kiln::scheduler {

// Of one agent.
struct Bar {
  std::string reason;  // "agent h1 is quarantined until ..."; empty: only devices are barred
  bool probe = false;  // one small member may go there all the same
  std::map<GpuId, std::string> gpus;  // the devices that are barred, each with its reason

  bool operator==(const Bar&) const = default;
};

using Bars = std::map<AgentId, Bar>;

}  // namespace kiln::scheduler
