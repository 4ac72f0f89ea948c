// The parts of the cluster one of which a whole gang, or a whole group, has to be in.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "scheduler/placement/snapshot.h"
#include "scheduler/placement/victims.h"

namespace kiln::scheduler {

// Agents by region. Without a rule all agents are in one.
class Regions {
 public:
  // By the level that the gang of the job requires, or the field of a CLUSTER of the group that no
  // member has bound to a value yet. The job, the snapshot and the victims are borrowed.
  Regions(const Snapshot& snapshot, const WaitingJob& job, const std::vector<WaitingGroup>& needed,
          const Victims& victims);

  bool Has(size_t region, const AgentId& agent) const;
  // Where so much is free or may be, the most first; at most as many as are worth a look.
  std::vector<size_t> Enough(const Amounts& asked) const;

 private:
  using Rule = std::function<std::optional<std::string>(const Agent&)>;
  Rule RuleOf(const Snapshot& snapshot, const WaitingJob& job,
              const std::vector<WaitingGroup>& needed) const;

  bool split_ = false;
  std::unordered_map<AgentId, size_t> of_;
  std::vector<Amounts> sums_;  // by region
};

}  // namespace kiln::scheduler
