// The refusals of a plan while it is made.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "scheduler/placement/explain.h"
#include "scheduler/placement/limits.h"
#include "scheduler/placement/snapshot.h"

namespace kiln::scheduler {

// The limits outlive it. In a brief plan there is one
// refusal of each blocker, without a reason.
class Refusals {
 public:
  Refusals(Limits& limits, bool brief) : limits_(limits), brief_(brief) {}

  // So many members of the group wait. The turns of one group have one refusal together.
  // Gives whether it is new.
  bool Add(const WaitingJob& job, const WaitingGroup& group, size_t members, const Cause& cause);
  // Of the members of its gang. Gives how many refusals are new.
  size_t AddGang(const WaitingJob& job, const Cause& cause);
  // When those of the last ones start.
  void Tell(size_t last, const Estimate& estimate);
  std::vector<Refusal> Take() { return std::move(list_); }

 private:
  std::string QuotaWords(const WaitingJob& job, const WaitingGroup& group, Blocker blocker);

  Limits& limits_;
  const bool brief_;
  std::vector<Refusal> list_;
  std::string owed_;                       // the first role that waits for what its quota covers
  std::map<const Group*, size_t> parted_;  // the places of their refusals
  std::set<Blocker> told_;                 // in a brief plan
};

}  // namespace kiln::scheduler
