// What placement decides upon: everything it may know, as values.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "model/ids.h"
#include "model/job.h"
#include "model/offer.h"
#include "scheduler/placement/bars.h"
#include "scheduler/placement/claims.h"
#include "scheduler/placement/levels.h"
#include "scheduler/placement/members.h"
#include "scheduler/placement/needs.h"
#include "scheduler/placement/order.h"
#include "scheduler/placement/outlook.h"
#include "scheduler/placement/warm_executors.h"

namespace kiln::scheduler {

// What is asked of a group again and again while a plan is made, together in one place.
struct GroupFacts {
  Amounts each{};     // of a member
  std::string want;   // as WantOf tells it
  std::string pool;   // of the executors that its members share; empty: none, or by device
  bool plain = true;  // without constraints
  bool devices = false;
};

// Members of a group that may start at this moment.
struct WaitingGroup {
  const Group* group = nullptr;
  MemberRange members;          // borrowed, ascending
  std::vector<AgentId> placed;  // where its live members are; only needed with constraints
  bool in_gang = false;
  bool parted = false;                // other members of the group stand in other turns
  const GroupFacts* facts = nullptr;  // as FactsOf gathers them; null: nobody has
};

struct WaitingJob {
  const Job* job = nullptr;
  std::string role;  // of the offers that it may use: the job's own, or one above it
  Instant since;     // when it was submitted
  std::vector<WaitingGroup> groups;
  int gang_needed = 0;   // so many members of its gang start together, or none
  bool may_hold = true;  // offers for a gang that nearly fits
  // Where live members of its gang are; only needed where the gang asks for a level.
  std::vector<AgentId> placed;
  std::optional<Instant> expected;  // its start, as it was foreseen last; only needed for moves
  std::optional<bool> near;         // as IsNear finds it

  // Its gang is to be near each other, and so is one thing even when enough of it runs.
  bool IsNear() const {
    return near ? *near : !job->gang_require.empty() || !job->gang_prefer.empty();
  }
  // What waits of it takes what is lent: nothing is held, kept or evicted for that.
  bool IsRevocable() const {
    return std::any_of(groups.begin(), groups.end(),
                       [](const WaitingGroup& waiting) { return waiting.group->revocable; });
  }
  // Whether its gang is served as one.
  bool StartsTogether() const { return gang_needed > 0 || IsNear(); }
};

// What a member takes.
inline Amounts EachOf(const WaitingGroup& waiting) {
  return waiting.facts != nullptr ? waiting.facts->each : AmountsOf(*waiting.group);
}

// What its gang takes at least; where enough of it runs, what all that waits of it takes.
Amounts GangAmounts(const WaitingJob& job);

// What is free of devices that members share on an agent, by agent and role.
using SharedDevices = std::map<std::pair<AgentId, std::string>, std::vector<GpuShare>>;

// Jobs and agents are borrowed: they outlive the snapshot.
struct Snapshot {
  std::vector<Offer> offers;
  std::vector<WaitingJob> jobs;                      // who is to be served first stands first
  std::optional<Sharing> sharing;                    // none: no role has a limit
  const std::map<AgentId, Agent>* agents = nullptr;  // of placed members; null: none
  Levels levels;                                     // of the topology
  const WarmExecutors* warm = nullptr;               // null: none
  // Nobody reads why something waits: the plan has one refusal of each blocker, without a reason,
  // and where constraints are in play the blockers need not be exact.
  bool brief = false;
  SharedDevices shared;
  Bars bars;                  // heeded by PlaceAround
  std::vector<Claim> claims;  // heeded by PlaceByClaims
  // Groups that have been asked for before and how many members they had, as far as anybody
  // remembers: what is likely to come again.
  std::vector<std::pair<const Group*, size_t>> usual;
  const Outlook* outlook = nullptr;  // null: nothing is reserved, and nothing foreseen
  Resources executor;                // what a shared executor needs for itself
  uint64_t seed = 0;                 // of the choice of ports
};

// The pool of executors that work of the group shares.
inline std::string PoolOf(const WaitingJob& job, const Group& group) {
  return ExecutorPool(*job.job, group, job.role);
}

// Null: nobody knows the agent.
inline const Agent* KnownAgent(const Snapshot& snapshot, const AgentId& id) {
  if (snapshot.agents == nullptr) return nullptr;
  const auto found = snapshot.agents->find(id);
  return found == snapshot.agents->end() ? nullptr : &found->second;
}

// An executor of the pool is there already.
inline bool IsWarm(const Snapshot& snapshot, const std::string& pool, const AgentId& agent) {
  return snapshot.warm != nullptr && snapshot.warm->On(agent).contains(pool);
}

}  // namespace kiln::scheduler
