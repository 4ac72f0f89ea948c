// What Mesos offers, as the placement core sees it.
#pragma once

#include <map>
#include <string>
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

struct Offer {
  OfferId id;
  Agent agent;
  std::string role;     // allocation role
  Resources resources;  // unreserved and reserved to the role together
  Instant received;

  bool operator==(const Offer&) const = default;
};

}  // namespace kiln
