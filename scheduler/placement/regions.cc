#include "scheduler/placement/regions.h"

#include <algorithm>

#include "scheduler/placement/constraints.h"

namespace kiln::scheduler {
namespace {

constexpr size_t kRegionsTried = 32;

// The levels down to the one that is required, which may be that of the hosts.
Levels Down(const Levels& levels, const std::string& required) {
  const auto end = std::find(levels.begin(), levels.end(), required);
  Levels down(levels.begin(), end);
  if (end != levels.end() || required == kHostLevel) down.push_back(required);
  return down;
}

}  // namespace

Regions::Rule Regions::RuleOf(const Snapshot& snapshot, const WaitingJob& job,
                              const std::vector<WaitingGroup>& needed) const {
  const std::string& required = job.job->gang_require;
  if (job.gang_needed > 0 && !required.empty()) {
    const Levels down = Down(snapshot.levels, required);
    return [down, required](const Agent& agent) -> std::optional<std::string> {
      if (DomainOf(agent, required).empty()) return std::nullopt;
      return PathOf(agent, down);
    };
  }
  for (const WaitingGroup& group : needed) {
    const Constraints constraints(group.group->constraints);
    if (constraints.OpenCluster() == nullptr || !group.placed.empty()) continue;
    return [field = *constraints.OpenCluster()](const Agent& agent) -> std::optional<std::string> {
      const std::string* value = FieldOf(agent, field);
      return value == nullptr ? std::nullopt : std::optional(*value);
    };
  }
  return nullptr;
}

Regions::Regions(const Snapshot& snapshot, const WaitingJob& job,
                 const std::vector<WaitingGroup>& needed, const Victims& victims) {
  const Rule rule = RuleOf(snapshot, job, needed);
  split_ = rule != nullptr;
  if (!split_) return;
  // Who of the gang is there already says where the others go.
  std::optional<std::string> only;
  for (const AgentId& id : job.placed) {
    if (const Agent* agent = KnownAgent(snapshot, id); agent != nullptr && !only)
      only = rule(*agent);
  }
  std::unordered_map<std::string, size_t> numbers;
  const auto add = [&](const AgentId& id, const Agent* agent, const Amounts& amounts) {
    const auto name = agent == nullptr ? std::nullopt : rule(*agent);
    if (!name || (only && *name != *only)) return;
    const auto number = numbers.try_emplace(*name, numbers.size()).first->second;
    of_.emplace(id, number);
    sums_.resize(numbers.size());
    Add(sums_[number], amounts);
  };
  for (const Offer& offer : snapshot.offers) {
    if (offer.role == job.role) add(offer.agent.id, &offer.agent, AmountsOf(offer.resources));
  }
  for (const Victims::Candidate& one : victims.All()) {
    const AgentId& id = one.task->agent;
    add(id, KnownAgent(snapshot, id), AmountsOf(one.task->resources));
  }
  for (const Task* task : victims.Leaving()) {
    add(task->agent, KnownAgent(snapshot, task->agent), AmountsOf(task->resources));
  }
}

bool Regions::Has(size_t region, const AgentId& agent) const {
  if (!split_) return true;
  const auto found = of_.find(agent);
  return found != of_.end() && found->second == region;
}

std::vector<size_t> Regions::Enough(const Amounts& asked) const {
  if (!split_) return {0};
  std::vector<size_t> regions;
  for (size_t region = 0; region < sums_.size(); ++region) {
    Amounts left = sums_[region];
    Subtract(left, asked);
    if (*std::min_element(left.begin(), left.end()) >= 0) regions.push_back(region);
  }
  std::stable_sort(regions.begin(), regions.end(),
                   [&](size_t a, size_t b) { return sums_[a] > sums_[b]; });
  if (regions.size() > kRegionsTried) regions.resize(kRegionsTried);
  return regions;
}

}  // namespace kiln::scheduler
