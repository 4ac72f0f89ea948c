#include "scheduler/placement/preemption.h"

#include <algorithm>
#include <queue>

#include "scheduler/placement/constraints.h"
#include "scheduler/placement/gpus.h"
#include "scheduler/placement/limits.h"
#include "scheduler/placement/moves.h"
#include "scheduler/placement/needs.h"
#include "scheduler/placement/place.h"
#include "scheduler/placement/slots.h"

namespace kiln::scheduler {
namespace {

constexpr size_t kSinglesMax = 1000;   // members without a gang, in one eviction
constexpr int kMovesTried = 4;         // each without the jobs that had no place before
constexpr size_t kPricesMax = 20'000;  // that are asked for beyond the first of each agent

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
  Search(const Snapshot& snapshot, const WaitingJob& job, Needed needed, bool moves,
         const Victims& victims, const Regions& regions, size_t region, const Policy& policy)
      : snapshot_(snapshot),
        job_(job),
        needed_(std::move(needed)),
        moves_(moves),
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
    Eviction eviction = Told(*plan);
    if (moves_) {
      Refuge refuge = FindRefuge(snapshot_, job_, *plan, victims_, slots_.departures(), policy_);
      stuck_ = std::move(refuge.stuck);
      if (!stuck_.empty()) return std::nullopt;
      eviction.moves = std::move(refuge.places);
    }
    double cost = 0;
    for (const Victims::Departure& departure : slots_.departures()) cost += CostOf(departure);
    return std::pair(cost, std::move(eviction));
  }

  // Jobs that have no place to move to.
  const std::set<std::string>& stuck() const { return stuck_; }

 private:
  struct Entry {
    Slot slot;
    size_t spot = 0;
    unsigned version = 0;
    bool seen = true;  // false: of the slot there is only a price that it costs at least

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

  // They go (-1), or stay after all (1). Who moves goes on using as much.
  void Use(const Victims::Departure& departure, int sign, Sharing& sharing) const {
    if (moves_) return;
    for (const size_t one : departure.candidates) {
      const Amounts amounts = AmountsOf(At(one).task->resources);
      Add(sharing.use[At(one).job->job->role].used, Times(amounts, sign));
    }
  }

  // What roles use when those who go have gone.
  Sharing SharingThen() const {
    Sharing sharing = *snapshot_.sharing;
    for (const Victims::Departure& departure : slots_.departures()) Use(departure, -1, sharing);
    return sharing;
  }

  bool OverLimit(const Sharing& sharing) const {
    return Limits(&sharing).Over(job_.job->role, SumOf(needed_)).has_value();
  }

  // What the role has too much of, so that the members would be over a limit, goes first.
  bool RelieveLimits() {
    Sharing sharing = *snapshot_.sharing;
    if (!OverLimit(sharing)) return true;
    if (moves_) return false;
    std::vector<std::pair<double, size_t>> prices;
    for (size_t i = 0; i < victims_.All().size(); ++i) {
      if (At(i).job->job->role == job_.job->role) prices.emplace_back(slots_.Price(i), i);
    }
    std::sort(prices.begin(), prices.end());
    for (const auto& [price, candidate] : prices) {
      if (At(candidate).out || slots_.Price(candidate) == Victims::kNever) continue;
      slots_.Evict(candidate);
      Use(slots_.departures().back(), -1, sharing);
      if (!OverLimit(sharing)) return true;
    }
    return false;
  }

  Constraints LiveConstraints(const WaitingGroup& group) const {
    Constraints constraints(group.group->constraints);
    for (const AgentId& id : group.placed) {
      if (const Agent* agent = KnownAgent(snapshot_, id)) constraints.Add(*agent);
    }
    return constraints;
  }

  void Push(const Group& spec, size_t spot, bool exact, Heap& heap) {
    Slot slot = slots_.Find(spec, spot, exact);
    if (slot.price == Victims::kNever) return;
    heap.push({std::move(slot), spot, slots_.spots()[spot].version});
  }

  // All spots, most of which nobody looks at any closer.
  Heap Begin(const Group& spec) const {
    std::vector<Entry> entries;
    entries.reserve(slots_.spots().size());
    for (size_t spot = 0; spot < slots_.spots().size(); ++spot) {
      const double price = slots_.LeastPrice(spec, spot);
      if (price == Victims::kNever) continue;
      entries.push_back({{price, {}}, spot, slots_.spots()[spot].version, false});
    }
    return Heap(std::less<Entry>(), std::move(entries));
  }

  // Gives a place to each member of the group; of members without a gang, to as many as it can.
  bool Fill(WaitingGroup& group) {
    Constraints constraints = LiveConstraints(group);
    const Group& spec = *group.group;
    std::vector<Entry> aside;  // what GROUP_BY may allow later
    const bool spreads =
        std::any_of(spec.constraints.begin(), spec.constraints.end(),
                    [](const auto& one) { return one.op == ConstraintOperator::kGroupBy; });
    size_t wanted = group.members.size();
    slots_.SetWanted(wanted);
    Heap heap = Begin(spec);
    size_t prices = 0;  // that are asked for beyond the first of each spot
    while (wanted > 0 && !heap.empty() && prices < kPricesMax) {
      Entry entry = heap.top();
      heap.pop();
      const Spot& spot = slots_.spots()[entry.spot];
      if (entry.version != spot.version) continue;
      if (!constraints.Allows(*spot.agent)) {
        if (spreads) aside.push_back(std::move(entry));
        continue;
      }
      if (!entry.seen || slots_.Price(entry.slot) > entry.slot.price * (1 + 1e-9)) {
        prices += entry.seen ? 1 : 0;
        Push(spec, entry.spot, false, heap);
        continue;
      }
      const bool settled = slots_.Settle(spec, entry.spot, entry.slot);
      if (settled) {
        constraints.Add(*spot.agent);
        slots_.SetWanted(--wanted);
      }
      for (const size_t touched : slots_.TakeTouched()) {
        ++prices;
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
    const std::string pool = PoolOf(job_, *needed_[0].group);
    WarmExecutors warm;
    trial.warm = &warm;
    for (size_t i = 0; i < slots_.spots().size(); ++i) {
      if (!slots_.spots()[i].used) continue;
      const Agent& agent = *slots_.spots()[i].agent;
      Resources free = slots_.Freed(i);
      auto shares = std::exchange(free.gpu_shares, {});
      if (!shares.empty()) trial.shared[{agent.id, job_.role}] = std::move(shares);
      if (IsWarm(snapshot_, pool, agent.id)) warm.Insert(agent.id, pool);
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
      Resources free = left.at(agent);
      OpenDevices(needed.gpu_shares, free);
      if (!free.Contains(needed)) return false;
    }
    Sharing then = sharing;
    Use(departure, 1, then);
    if (OverLimit(then) || !victims_.Stay(departure)) return false;
    departures.erase(departures.begin() + static_cast<ptrdiff_t>(index));
    sharing = std::move(then);
    for (const auto& [agent, resources] : wanted) {
      OpenDevices(resources.gpu_shares, left.at(agent));
      left.at(agent) -= resources;
    }
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
  bool moves_;
  const Policy& policy_;
  Victims victims_;
  Slots slots_;
  std::set<std::string> stuck_;
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

// Only that it is scattered keeps it from what it asks for.
bool IsScattered(const Snapshot& snapshot, const std::string& role, const Amounts& asked) {
  Amounts free{};
  for (const Offer& offer : snapshot.offers) {
    if (offer.role == role) Add(free, AmountsOf(offer.resources));
  }
  for (const auto& [key, shares] : snapshot.shared) {
    if (key.second == role) Add(free, AmountsOf(Resources{.gpu_shares = shares}));
  }
  return AtLeast(free, asked);
}

// What it loses while it waits: what it asks for, until it is expected to start. When nobody knows
// that, as long again as it has waited.
double PriceOfWaiting(const WaitingJob& job, const Amounts& asked, const Amounts& total,
                      Instant now) {
  const Duration wait = job.expected ? *job.expected - now : now - job.since;
  return ToSeconds(wait) * ShareOf(asked, total);
}

class Finder {
 public:
  Finder(const Snapshot& snapshot, const WaitingJob& job, const Running& running,
         const PreemptionSettings& settings, const Policy& policy, Instant now)
      : snapshot_(snapshot),
        job_(job),
        running_(running),
        settings_(settings),
        policy_(policy),
        now_(now),
        limits_(&*snapshot.sharing) {}

  // Nobody has to wait, where that is possible for less than it costs to wait.
  std::optional<Eviction> Move(Needed needed) {
    if (job_.gang_needed == 0) Trim(needed[0], 1);
    const Amounts asked = Each(job_, needed);
    if (!settings_.move || !IsScattered(snapshot_, job_.role, asked)) return std::nullopt;
    const double waiting = PriceOfWaiting(job_, asked, snapshot_.sharing->total, now_);
    Preemptor preemptor{
        .job = job_.job, .offers = job_.role, .moves = true, .stay = {job_.job->name}};
    for (const Claim& claim : snapshot_.claims) preemptor.stay.insert(claim.job);
    for (int i = 0; i < kMovesTried; ++i) {
      std::set<std::string> stuck;
      auto found = Cheapest(needed, preemptor, stuck);
      if (found && found->first < waiting) return std::move(found->second);
      if (found || stuck.empty()) break;
      preemptor.stay.merge(stuck);
    }
    return std::nullopt;
  }

  // Those over whom it has a right go, and wait.
  std::optional<Eviction> Evict(Needed needed) {
    Preemptor preemptor{.job = job_.job, .offers = job_.role};
    const Role* owed = limits_.OwedQuota(job_.job->role, Each(job_, needed));
    if (settings_.by_quota && owed != nullptr) preemptor.owed_quota = owed->name;
    TrimTo(limits_, job_, preemptor.owed_quota, needed);
    std::set<std::string> stuck;
    auto found = Cheapest(needed, preemptor, stuck);
    if (!found) return std::nullopt;
    return std::move(found->second);
  }

 private:
  std::optional<std::pair<double, Eviction>> Cheapest(const Needed& needed,
                                                      const Preemptor& preemptor,
                                                      std::set<std::string>& stuck) const {
    const Victims victims(running_, preemptor, *snapshot_.sharing, settings_, now_);
    if (victims.All().empty()) return std::nullopt;
    const Regions regions(snapshot_, job_, needed, victims);
    std::optional<std::pair<double, Eviction>> best;
    for (const size_t region : regions.Enough(Each(job_, needed))) {
      Search search(snapshot_, job_, needed, preemptor.moves, victims, regions, region, policy_);
      auto found = search.Run();
      if (found && (!best || found->first < best->first)) best = std::move(found);
      stuck.insert(search.stuck().begin(), search.stuck().end());
    }
    return best;
  }

  const Snapshot& snapshot_;
  const WaitingJob& job_;
  const Running& running_;
  const PreemptionSettings& settings_;
  const Policy& policy_;
  const Instant now_;
  Limits limits_;
};

}  // namespace

bool MayEvict(const WaitingJob& job, const Running& running, Limits& limits,
              const PreemptionSettings& settings) {
  if (job.IsRevocable()) return false;
  const bool gang = job.gang_needed > 0;
  const auto lowest = running.LowestPriority(job.job->role);
  const bool higher = settings.by_priority && lowest && *lowest < job.job->priority;
  for (const WaitingGroup& group : job.groups) {
    if (group.in_gang != gang || group.members.empty()) continue;
    if (higher || settings.move) return true;
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
  Finder finder(snapshot, job, running, settings, policy, now);
  for (const Needed& needed : NeedsOf(job)) {
    if (auto move = finder.Move(needed)) return move;
    if (auto eviction = finder.Evict(needed)) return eviction;
  }
  return std::nullopt;
}

}  // namespace kiln::scheduler
