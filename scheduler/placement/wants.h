// What tells groups from each other, as far as it matters where their members fit.
#pragma once

#include <string>
#include <vector>

#include "model/job.h"
#include "scheduler/placement/snapshot.h"

namespace kiln::scheduler {

// Equal for groups that ask the same of agents of a role: bytes, no text. Which pool an executor
// belongs to is not in it, and neither are the constraints.
std::string WantOf(const std::string& role, const Group& group);

// The constraints in the same form.
std::string WantOf(const std::vector<Constraint>& constraints);

// Of a group of the job.
GroupFacts FactsOf(const Job& job, const Group& group, const std::string& role);

// The only group of the job's gang, when nothing but its want matters to it: what is found of one
// gang then holds for others. Null: there is more to it.
const WaitingGroup* PlainGang(const WaitingJob& job);

}  // namespace kiln::scheduler
