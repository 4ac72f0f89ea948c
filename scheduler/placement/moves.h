// The other half of an eviction that is a move: where those go on who have to end.
//
// Place is asked, as it will be in the next cycle: about what is free at this moment, away from the
// agents that the eviction is for and that are kept for others, behind all that waits. So nobody
// comes to wait, and what is kept for the head of a role stays so.
//
// Pure: no clock, no chance.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "scheduler/placement/plan.h"
#include "scheduler/placement/policy.h"
#include "scheduler/placement/preemption.h"
#include "scheduler/placement/victims.h"

namespace kiln::scheduler {

struct Refuge {
  std::map<MemberId, AgentId> places;
  std::set<std::string> stuck;  // jobs of which some have none
};

// Where those leave for who have to, so that the job starts as planned.
Refuge FindRefuge(const Snapshot& snapshot, const WaitingJob& job, const Plan& plan,
                  const Victims& victims, const std::vector<Victims::Departure>& departures,
                  const Policy& policy);

// What is kept until then: for the job, and for those who move.
std::vector<Claim> ClaimsOf(const Eviction& eviction, Instant until);

// The first start that is foreseen for members of the job.
std::optional<Instant> ExpectedStart(const std::string& job, const std::vector<Refusal>& refusals);

}  // namespace kiln::scheduler
