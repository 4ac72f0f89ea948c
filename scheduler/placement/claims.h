// Agents that are kept for jobs on whose behalf others had to leave them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/time.h"
#include "model/ids.h"

namespace kiln::scheduler {

struct Claim {
  std::string job;
  int members = 0;              // that are still to start
  std::vector<AgentId> agents;  // sorted
  Instant until;
  std::string why;  // its job waits

  bool operator==(const Claim&) const = default;
};

struct Plan;
class Planning;
struct Policy;
struct Snapshot;

// As PlaceAround, on a cluster with claims: what is free on the agents of a claim goes to its job
// alone, and stays in hand until that job fits. Claims of jobs that move together are for the same
// agents; others do not overlap.
Plan PlaceByClaims(const Snapshot& snapshot, const Policy& policy);

// The same a part at a time: takes what it has use for out of the snapshot, which outlives it.
std::unique_ptr<Planning> BeginByClaims(Snapshot& snapshot, const Policy& policy);

}  // namespace kiln::scheduler
