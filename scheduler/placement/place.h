// The decision: which member goes where, and why the others wait.
#pragma once

#include <memory>

#include "scheduler/placement/plan.h"
#include "scheduler/placement/policy.h"
#include "scheduler/placement/snapshot.h"

namespace kiln::scheduler {

// Jobs are served in their order, and those behind fill what is left. The members of a gang start
// together or not at all; offers that a gang fills in part are held for it, for one gang at a time.
// Every group of which a member does not start has a refusal. The same snapshot gives the same
// plan.
Plan Place(const Snapshot& snapshot, const Policy& policy);

// A plan that is made a part at a time, where it takes longer than anybody may wait.
class Planning {
 public:
  virtual ~Planning() = default;
  // Serves jobs until it has cost about as much as a look at so many agents. Gives whether all are
  // served.
  virtual bool GoOn(size_t looks) = 0;
  // The plan, when all are served.
  virtual Plan Take() = 0;
};

// The plan that Place makes. Snapshot and policy outlive it.
std::unique_ptr<Planning> BeginPlace(const Snapshot& snapshot, const Policy& policy);

}  // namespace kiln::scheduler
