// Which of the agents that fit is best. A policy is one file with a score and one line in the
// registry.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "model/resources.h"

namespace kiln::scheduler {

struct Policy {
  const char* name;
  // Of an agent's free resources, when the member would take `taken` of them: higher is better.
  double (*score)(const Resources& free, const Resources& taken);
  // The best agent for one member stays the best for the next while it has room: members without
  // constraints are then placed in runs.
  bool in_runs;
};

extern const Policy kPack;    // fills agents up, so that large members find whole ones
extern const Policy kSpread;  // takes the emptiest agent

const std::vector<const Policy*>& Policies();
// kInvalidArgument names the policies that there are.
Result<const Policy*> FindPolicy(const std::string& name);

}  // namespace kiln::scheduler
