// The cluster file: what the agents of a local Mesos pretend to have.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/units.h"

namespace kiln::wire {

// An attribute NAME whose values are NAME1, NAME2, ... in turn.
struct Spread {
  std::string attribute;
  int values = 1;

  bool operator==(const Spread&) const = default;
};

struct PretendedGpus {
  int count = 0;
  std::string model;
  Bytes memory;
  int linked = 0;  // so many in a row are joined by NVLink; 0: none

  bool operator==(const PretendedGpus&) const = default;
};

// What is lent beyond that, to work that asks for it.
struct Revocable {
  double cpus = 0;

  bool operator==(const Revocable&) const = default;
};

// Agents that are alike.
struct AgentShape {
  int count = 1;
  double cpus = 1;
  Bytes mem = GiB(1);
  Bytes disk = GiB(1);
  Revocable revocable;
  PretendedGpus gpus;
  std::map<std::string, std::string> attributes;
  std::vector<Spread> spread;

  bool operator==(const AgentShape&) const = default;
};

// Reads and validates YAML or JSON. Errors have the path of the field.
Result<std::vector<AgentShape>> DecodeCluster(std::string_view text);

}  // namespace kiln::wire
