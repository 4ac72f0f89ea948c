// Whether an eviction makes the room that it is for.
#pragma once

#include <map>
#include <string>

#include "model/role.h"
#include "scheduler/lifecycle/state.h"

namespace kiln::simulation {

// What the job's claim lacks, as a sentence, on the agents that it keeps and within the limits of
// its role, once all have ended who have to; nothing: all its members fit. `totals` are what agents
// have; an agent that is not in it has nothing. Reckons amounts alone: placement, which knows of
// more, may find less room than this and never more.
std::string LackOfRoom(const scheduler::State& state, const scheduler::JobRecord& record,
                       const std::map<AgentId, Resources>& totals, const RoleSettings& roles);

// Whether the agent offers what tasks have that the state counts as alive: Mesos knows already that
// they are not there.
bool OffersWhatIsTaken(const scheduler::State& state, const AgentId& agent, const Resources& total,
                       const Resources& offered);

}  // namespace kiln::simulation
