// What waits for volumes, or with them.
#include "scheduler/lifecycle/lifecycle.h"
#include "scheduler/placement/needs.h"

namespace kiln::scheduler {

// Without a role of its own nobody may keep what an agent has.
Status Lifecycle::CheckVolumes(const Job& job) const {
  for (size_t i = 0; i < job.groups.size(); ++i) {
    if (job.groups[i].volumes.empty() || OfferRole(job.role) != "*") continue;
    return FailField(fmt::format("groups[{}].volumes", i),
                     "volumes with offers to role *: expected a role of kiln-scheduler --role, "
                     "Mesos keeps disk for roles alone");
  }
  return {};
}

// Members that are cut off with their agent live on, as their data do.
void Lifecycle::SeeCutOff(const JobRecord& record, const Group& group, const GroupRun& run,
                          Sight& sight) const {
  for (const Member& member : run.members) {
    if (member.live == nullptr || member.live->state != TaskState::kUnreachable) continue;
    if (!volumes_.Has(member.live->member)) continue;
    const Group tied = volumes_.Tie(member.live->member, group);
    sight.blocked.push_back({record.job.name, group.name, 1, Blocker::kVolume,
                             "is cut off with " + TieOf(tied)->where});
  }
}

}  // namespace kiln::scheduler
