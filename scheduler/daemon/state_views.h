// What the REST API shows of the state, whoever has it: the scheduler that leads, or one that reads
// along.
#pragma once

#include <map>
#include <vector>

#include "scheduler/api/backend.h"
#include "scheduler/lifecycle/state.h"
#include "scheduler/placement/levels.h"

namespace kiln::scheduler {

// The agents with tasks or suspicions, and those that have offered.
std::vector<AgentView> AgentViews(std::map<AgentId, AgentView> offered, const State& state,
                                  const Levels& topology);

}  // namespace kiln::scheduler
