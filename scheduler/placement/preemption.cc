#include "scheduler/placement/preemption.h"

#include <algorithm>
#include <queue>

#include "scheduler/placement/constraints.h"
#include "scheduler/placement/gpus.h"
#include "scheduler/placement/limits.h"
#include "scheduler/placement/needs.h"
#include "scheduler/placement/place.h"
#include "scheduler/placement/slots.h"

namespace kiln::scheduler {
namespace {

constexpr size_t kSinglesMax = 1000;  // members without a gang, in one eviction

// What starts together: the members that a gang needs, or some of one group.
using Needed = std::vector<WaitingGroup>;

Amounts SumOf(const Needed& needed) {
  Amounts sum{};
  for (const WaitingGroup& group : needed) {
    Add(sum, Times(AmountsOf(*group.group), static_cast<int64_t>(group.members.size())));
  }
  return sum;
}

void Trim(WaitingGroup& group, size_t members) { group.members = group.members.Part(0, members); }

// What may be evicted for: a gang, or each group. What a gang has beyond its need takes what is
// free, and nobody's place.
std::vector<Needed> NeedsOf(const WaitingJob& job) {
  std::vector<Needed> needs;
  const bool gang = job.gang_needed > 0;
  size_t left = gang ? static_cast<size_t>(job.gang_needed) : kSinglesMax;
  for (const WaitingGroup& group : job.groups) {
    const size_t count = std::min(left, group.members.size());
    if (group.in_gang != gang || count == 0) continue;
    if (!gang || needs.empty()) needs.emplace_back();
    needs.back().push_back(group);
    Trim(needs.back().back(), count);
    if (gang) left -= count;
  }
  return needs;
}

class Search {
 public:
  Search(const Snapshot& snapshot, const WaitingJob& job, Needed needed, const Victims& victims,
         const Regions& regions, size_t region, const Policy& policy)
      : snapshot_(snapshot),
        job_(job),
        needed_(std::move(needed)),
        policy_(policy),
        victims_(victims),
        slots_(snapshot, job, regions, region, victims_) {}

  // Gives what it costs, too.
  std::optional<std::pair<double, Eviction>> Run() {
    if (!RelieveLimits()) return std::nullopt;
    for (WaitingGroup& group : needed_) {
      if (!Fill(group)) return std::nullopt;
    }
    auto plan = Verified();
    if (plan && SpareTheNeedless(*plan)) plan = Verified();
    if (!plan || slots_.departures().empty()) return std::nullopt;
    double cost = 0;
    for (const Victims::Departure& departure : slots_.departures()) cost += CostOf(departure);
    return std::pair(cost, Told(*plan));
  }

 private:
  struct Entry {
    Slot slot;
    size_t spot = 0;
    unsigned version = 0;

    bool operator<(const Entry& other) const {
      return std::pair(slot.price, spot) > std::pair(other.slot.price, other.spot);
    }
  };
  using Heap = std::priority_queue<Entry>;

  const Victims::Candidate& At(size_t candidate) const { return victims_.All()[candidate]; }

  double CostOf(const Victims::Departure& departure) const {
    double sum = 0;
    for (const size_t one : departure.candidates) sum += At(one).cost;
    return sum;
  }

  // What roles use when those who go have gone.
  Sharing SharingThen() const {
    Sharing sharing = *snapshot_.sharing;
    for (const Victims::Departure& departure : slots_.departures()) {
      for (const size_t one : departure.candidates) {
        Subtract(sharing.use[At(one).job->job->role].used, AmountsOf(At(one).task->resources));
      }
    }
    return sharing;
  }

  bool OverLimit(const Sharing& sharing) const {
    return Limits(&sharing).Over(job_.job->role, SumOf(needed_)).has_value();
  }

  // What the role has too much of, so that the members would be over a limit, goes first.
  bool RelieveLimits() {
    Sharing sharing = *snapshot_.sharing;
    if (!OverLimit(sharing)) return true;
    std::vector<std::pair<double, size_t>> prices;
    for (size_t i = 0; i < victims_.All().size(); ++i) {
      if (At(i).job->job->role == job_.job->role) prices.emplace_back(slots_.Price(i), i);
    }
    std::sort(prices.begin(), prices.end());
    for (const auto& [price, candidate] : prices) {
      if (At(candidate).out || slots_.Price(candidate) == Victims::kNever) continue;
      slots_.Evict(candidate);
      for (const size_t one : slots_.departures().back().candidates) {
        Subtract(sharing.use[job_.job->role].used, AmountsOf(At(one).task->resources));
      }
      if (!OverLimit(sharing)) return true;
    }
    return false;
  }

  Constraints LiveConstraints(const WaitingGroup& group) const {
    Constraints constraints(group.group->constraints);
    for (const AgentId& id : group.placed) {
      if (snapshot_.agents == nullptr) break;
      const auto agent = snapshot_.agents->find(id);
      if (agent != snapshot_.agents->end()) constraints.Add(agent->second);
    }
    return constraints;
  }

  void Push(const Group& spec, size_t spot, bool exact, Heap& heap) {
    Slot slot = slots_.Find(spec, spot, exact);
    if (slot.price == Victims::kNever) return;
    heap.push({std::move(slot), spot, slots_.spots()[spot].version});
  }

  // Gives a place to each member of the group; of members without a gang, to as many as it can.
  bool Fill(WaitingGroup& group) {
    Constraints constraints = LiveConstraints(group);
    const Group& spec = *group.group;
    Heap heap;
    std::vector<Entry> aside;  // what GROUP_BY may allow later
    const bool spreads =
        std::any_of(spec.constraints.begin(), spec.constraints.end(),
                    [](const auto& one) { return one.op == ConstraintOperator::kGroupBy; });
    size_t wanted = group.members.size();
    slots_.SetWanted(wanted);
    for (size_t spot = 0; spot < slots_.spots().size(); ++spot) Push(spec, spot, false, heap);
    while (wanted > 0 && !heap.empty()) {
      Entry entry = heap.top();
      heap.pop();
      const Spot& spot = slots_.spots()[entry.spot];
      if (entry.version != spot.version) continue;
      if (!constraints.Allows(*spot.agent)) {
        if (spreads) aside.push_back(std::move(entry));
        continue;
      }
      if (slots_.Price(entry.slot) > entry.slot.price * (1 + 1e-9)) {
        Push(spec, entry.spot, false, heap);
        continue;
      }
      const bool settled = slots_.Settle(spec, entry.spot, entry.slot);
      if (settled) {
        constraints.Add(*spot.agent);
        slots_.SetWanted(--wanted);
      }
      for (const size_t touched : slots_.TakeTouched()) {
        Push(spec, touched, !settled && touched == entry.spot, heap);
      }
      for (Entry& one : std::exchange(aside, {})) heap.push(std::move(one));
    }
    if (wanted > 0 && job_.gang_needed > 0) return false;
    Trim(group, group.members.size() - wanted);
    return true;
  }

  // The plan that Place makes of the agents that were found, when all members have a place in it.
  std::optional<Plan> Verified() const {
    Snapshot trial{.sharing = SharingThen(),
                   .agents = snapshot_.agents,
                   .levels = snapshot_.levels,
                   .brief = true,
                   .executor = snapshot_.executor,
                   .seed = snapshot_.seed};
    const std::string pool = ExecutorPool(*job_.job, job_.role);
    WarmExecutors warm;
    trial.warm = &warm;
    for (size_t i = 0; i < slots_.spots().size(); ++i) {
      if (!slots_.spots()[i].used) continue;
      const Agent& agent = *slots_.spots()[i].agent;
      Resources free = slots_.Freed(i);
      auto shares = std::exchange(free.gpu_shares, {});
      if (!shares.empty()) trial.shared[{agent.id, job_.role}] = std::move(shares);
      if (IsWarm(snapshot_, pool, agent.id)) warm.emplace(agent.id, pool);
      trial.offers.push_back({.agent = agent, .role = job_.role, .resources = std::move(free)});
    }
    trial.jobs.push_back({.job = job_.job,
                          .role = job_.role,
                          .since = job_.since,
                          .groups = needed_,
                          .gang_needed = job_.gang_needed,
                          .placed = job_.placed});
    size_t members = 0;
    for (const WaitingGroup& group : needed_) members += group.members.size();
    Plan plan = Place(trial, policy_);
    if (members == 0 || plan.launches.size() < members) return std::nullopt;
    return plan;
  }

  // Those whose place nobody takes stay, the most expensive first. Gives whether there are any.
  bool SpareTheNeedless(const Plan& plan) {
    std::map<AgentId, Resources> left;
    for (size_t i = 0; i < slots_.spots().size(); ++i) {
      const Spot& spot = slots_.spots()[i];
      if (spot.used) left[spot.agent->id] = slots_.Freed(i);
    }
    for (const Launch& launch : plan.launches) {
      Resources& free = left.at(launch.agent);
      OpenDevices(launch.resources.gpu_shares, free);
      free -= launch.resources;
    }
    auto& departures = slots_.departures();
    std::stable_sort(departures.begin(), departures.end(),
                     [this](const auto& a, const auto& b) { return CostOf(a) > CostOf(b); });
    Sharing sharing = SharingThen();
    bool any = false;
    for (size_t i = 0; i < departures.size();) {
      if (MayStay(i, left, sharing)) {
        any = true;
      } else {
        ++i;
      }
    }
    return any;
  }

  bool MayStay(size_t index, std::map<AgentId, Resources>& left, Sharing& sharing) {
    auto& departures = slots_.departures();
    const Victims::Departure departure = departures[index];
    const bool shares = std::any_of(needed_.begin(), needed_.end(), [](const WaitingGroup& group) {
      return SharesExecutor(*group.group);
    });
    std::map<AgentId, Resources> wanted;
    for (const size_t one : departure.candidates) {
      const Task& task = *At(one).task;
      if (left.contains(task.agent)) wanted[task.agent] += task.resources;
    }
    for (const auto& [agent, resources] : wanted) {
      Resources needed = resources;
      if (shares) needed += snapshot_.executor;  // that may have come there
      if (!left.at(agent).Contains(needed)) return false;
    }
    Sharing then = sharing;
    for (const size_t one : departure.candidates) {
      Add(then.use[At(one).job->job->role].used, AmountsOf(At(one).task->resources));
    }
    if (OverLimit(then) || !victims_.Stay(departure)) return false;
    departures.erase(departures.begin() + static_cast<ptrdiff_t>(index));
    sharing = std::move(then);
    for (const auto& [agent, resources] : wanted) left.at(agent) -= resources;
    return true;
  }

  Eviction Told(const Plan& plan) const {
    Eviction eviction{.job = job_.job->name, .members = static_cast<int>(plan.launches.size())};
    for (const Victims::Departure& departure : slots_.departures()) {
      for (const size_t one : departure.candidates) eviction.victims.push_back(At(one).task->id);
    }
    for (const Launch& launch : plan.launches) eviction.agents.push_back(launch.agent);
    auto& agents = eviction.agents;
    std::sort(agents.begin(), agents.end());
    agents.erase(std::unique(agents.begin(), agents.end()), agents.end());
    std::sort(eviction.victims.begin(), eviction.victims.end());
    return eviction;
  }

  const Snapshot& snapshot_;
  const WaitingJob& job_;
  Needed needed_;
  const Policy& policy_;
  Victims victims_;
  Slots slots_;
};

// What one of them asks for: the gang, or a member.
Amounts Each(const WaitingJob& job, const Needed& needed) {
  return job.gang_needed > 0 ? SumOf(needed) : AmountsOf(*needed[0].group);
}

// Members without a gang: no more than quota and limits have room for.
void TrimTo(Limits& limits, const WaitingJob& job, const std::string& owed, Needed& needed) {
  if (job.gang_needed > 0) return;
  size_t count = needed[0].members.size();
  const auto too_many = [&] {
    const Amounts asked = Times(Each(job, needed), static_cast<int64_t>(count));
    if (limits.Over(job.job->role, asked)) return true;
    return !owed.empty() && limits.OwedQuota(job.job->role, asked) == nullptr;
  };
  while (count > 1 && too_many()) --count;
  Trim(needed[0], count);
}

}  // namespace

bool MayEvict(const WaitingJob& job, const Running& running, Limits& limits,
              const PreemptionSettings& settings) {
  const bool gang = job.gang_needed > 0;
  const auto lowest = running.LowestPriority(job.job->role);
  const bool higher = settings.by_priority && lowest && *lowest < job.job->priority;
  for (const WaitingGroup& group : job.groups) {
    if (group.in_gang != gang || group.members.empty()) continue;
    if (higher) return true;
    if (!settings.by_quota) return false;
    const Amounts asked = gang ? GangAmounts(job) : AmountsOf(*group.group);
    if (limits.OwedQuota(job.job->role, asked) != nullptr) return true;
    if (gang) return false;
  }
  return false;
}

std::optional<Eviction> FindEviction(const Snapshot& snapshot, const WaitingJob& job,
                                     const Running& running, const PreemptionSettings& settings,
                                     const Policy& policy, Instant now) {
  Limits limits(&*snapshot.sharing);
  for (Needed& needed : NeedsOf(job)) {
    Preemptor preemptor{.job = job.job, .offers = job.role};
    const Role* owed = limits.OwedQuota(job.job->role, Each(job, needed));
    if (settings.by_quota && owed != nullptr) preemptor.owed_quota = owed->name;
    TrimTo(limits, job, preemptor.owed_quota, needed);
    const Victims victims(running, preemptor, *snapshot.sharing, settings, now);
    if (victims.All().empty()) continue;
    const Regions regions(snapshot, job, needed, victims);
    std::optional<std::pair<double, Eviction>> best;
    for (const size_t region : regions.Enough(Each(job, needed))) {
      auto found = Search(snapshot, job, needed, victims, regions, region, policy).Run();
      if (found && (!best || found->first < best->first)) best = std::move(found);
    }
    if (best) return std::move(best->second);
  }
  return std::nullopt;
}

}  // namespace kiln::scheduler
