// Which of the agents that fit is best. A policy is one file with its judge and one line in the
// registry.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "scheduler/placement/judge.h"

namespace kiln::scheduler {

struct Policy {
  const char* name;
  // What compares agents in one plan.
  std::unique_ptr<Judge> (*judge)(const Workload& workload);
  // The best agent for one member without devices stays the best for the next while it has room:
  // members without constraints are then placed in runs.
  bool in_runs;
};

extern const Policy kFill;    // keeps what is left of GPUs of use for the tasks to come
extern const Policy kFgd;     // fragmentation gradient descent
extern const Policy kPack;    // fills agents up, so that large members find whole ones
extern const Policy kSpread;  // takes the emptiest agent

const std::vector<const Policy*>& Policies();
// kInvalidArgument names the policies that there are.
Result<const Policy*> FindPolicy(const std::string& name);

}  // namespace kiln::scheduler
