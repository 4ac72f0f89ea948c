// Whose work ends so that something that waits can start.
//
// Priority and quota say who may be evicted: a job may evict those of a lower priority in its role;
// a role that has less than its quota may take back what other roles have beyond theirs. Cost says
// who is: what a task has done since its start or its last checkpoint, times what it holds.
//
// A gang goes as a whole; what it has beyond the members that it needs goes first, one by one.
// Serving and services keep one member of each group. Nothing is evicted unless all members that
// the eviction is for then fit, which Place itself is asked.
//
// What would fit if only others stood elsewhere needs no right: work that has told of a checkpoint
// moves for it, when it has a place elsewhere at once and that costs less than to wait (moves.h).
//
// Pure: no clock, no chance.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "scheduler/placement/limits.h"
#include "scheduler/placement/policy.h"
#include "scheduler/placement/running.h"
#include "scheduler/placement/snapshot.h"

namespace kiln::scheduler {

struct PreemptionSettings {
  bool by_priority = true;
  bool by_quota = true;
  bool move = false;  // work that has told of a checkpoint goes on elsewhere
  // Nobody is evicted who runs for less. Doubles with each eviction of a member.
  Duration min_run = std::chrono::minutes(1);
  Duration restart = std::chrono::seconds(30);  // of work, that every eviction costs
  // A job evicts at most so often in this time: one that fails at once harms few.
  int evictions_max = 3;
  Duration window = std::chrono::minutes(10);
  // What is freed is kept for so long after the victims' last grace.
  Duration claim = std::chrono::minutes(1);
  Duration again = std::chrono::seconds(1);  // until something that found nobody looks again

  bool operator==(const PreemptionSettings&) const = default;
};

struct Eviction {
  std::string job;                    // for which it is
  int members = 0;                    // that start when it is done
  std::vector<TaskId> victims;        // sorted
  std::vector<AgentId> agents;        // where those members go, sorted
  std::map<MemberId, AgentId> moves;  // where the victims go on; empty: they wait

  bool operator==(const Eviction&) const = default;
};

// The job may have the right to evict somebody that runs.
bool MayEvict(const WaitingJob& job, const Running& running, Limits& limits,
              const PreemptionSettings& settings);

// Who has to end for this job: the smallest and cheapest set that is found. Nothing: it would fit
// without, or not even so. The snapshot has a sharing, and what agents have free, in hand or not;
// its jobs do not count. Nothing is taken of agents that others have claimed.
std::optional<Eviction> FindEviction(const Snapshot& snapshot, const WaitingJob& job,
                                     const Running& running, const PreemptionSettings& settings,
                                     const Policy& policy, Instant now);

}  // namespace kiln::scheduler
