// What Mesos offers, as the placement core sees it.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "model/gpu.h"
#include "model/ids.h"
#include "model/resources.h"

namespace kiln {

// An agent as its offers describe it.
struct Agent {
  AgentId id;
  std::string hostname;
  std::string address;  // host:port of its own API, or empty
  std::string region;
  std::string zone;
  std::map<std::string, std::string>
      attributes;         // text, scalars as text, ranges as Mesos prints them
  std::vector<Gpu> gpus;  // named ones, from the inventory that the attributes hold

  bool operator==(const Agent&) const = default;
};

// The names of volumes that Kiln makes begin so.
inline constexpr std::string_view kVolumePrefix = "kiln.";

// A volume that Kiln made, as it is offered.
struct OfferedVolume {
  std::string id;
  bool made = true;      // false: only the disk that was reserved for it is there
  bool reserved = true;  // for it; false: its disk belongs to the role

  bool operator==(const OfferedVolume&) const = default;
};

struct Offer {
  OfferId id;
  Agent agent;
  std::string role;     // allocation role
  Resources resources;  // unreserved and reserved to the role together
  std::vector<OfferedVolume> volumes;
  Instant received;

  bool operator==(const Offer&) const = default;
};

}  // namespace kiln
