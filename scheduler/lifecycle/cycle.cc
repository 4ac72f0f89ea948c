#include "scheduler/lifecycle/cycle.h"

#include "scheduler/lifecycle/models.h"
#include "scheduler/placement/around.h"
#include "scheduler/placement/turns.h"

namespace kiln::scheduler {

Cycle::Outcome Cycle::Run(Lifecycle& lifecycle, bool connected, Instant now) {
  lifecycle.Tick(now);
  Plan plan;
  if (connected) plan = Decide(lifecycle, now);
  Outcome outcome{.effects = lifecycle.TakeEffects()};
  for (const Freed& freed : outcome.effects.freed) {
    book_.Freed(freed.agent, freed.role, freed.resources);
  }
  Charge(lifecycle, plan, outcome.effects.starts, now);
  outcome.calls = Explain(lifecycle, connected, plan, now);
  return outcome;
}

Snapshot Cycle::SnapshotOf(const Lifecycle& lifecycle, std::vector<Offer> offers,
                           const Sight& sight, Instant now) const {
  Snapshot snapshot{.offers = std::move(offers),
                    .jobs = sight.jobs,
                    .sharing = lifecycle.SharingAt(now, book_.Free()),
                    .agents = &lifecycle.state().agents,
                    .levels = lifecycle.settings().topology,
                    .warm = lifecycle.Warm(),
                    .shared = lifecycle.FreeShares(),
                    .bars = lifecycle.GetBars(),
                    .usual = sight.usual,
                    .executor = lifecycle.settings().executor,
                    .seed = static_cast<uint64_t>(now.nanoseconds)};
  for (WaitingJob& job : snapshot.jobs) job.may_hold = book_.MayHold(job.job->name, now);
  PutInOrder(snapshot);
  return snapshot;
}

Plan Cycle::Decide(Lifecycle& lifecycle, Instant now) {
  const Sight sight = lifecycle.See(now);
  if (sight.jobs.empty()) return {};
  const Snapshot snapshot = SnapshotOf(lifecycle, book_.Hand(), sight, now);
  Plan plan = PlaceAround(snapshot, policy_);
  std::map<AgentId, Agent> agents;
  for (const Offer& offer : snapshot.offers) agents.emplace(offer.agent.id, offer.agent);
  lifecycle.LaunchAll(plan.launches, agents, now);
  return plan;
}

// What a plan takes of each agent.
void Cycle::Charge(const Lifecycle& lifecycle, const Plan& plan,
                   const std::vector<LaunchCall>& starts, Instant now) {
  const State& state = lifecycle.state();
  std::map<AgentRole, Resources> charged;
  for (const LaunchCall& start : starts) {
    const Task& task = state.tasks.at(start.task);
    Resources& sum =
        charged[{task.agent, lifecycle.OfferRole(state.jobs.at(task.member.job).job.role)}];
    sum += task.resources;
    if (start.new_executor) sum += start.ExecutorTakes(lifecycle.settings().executor);
    sum.gpu_shares.clear();  // no resource of Mesos
  }
  book_.Spend(plan, charged, now);
}

// The reasons of all that still waits, judged by everything that agents are known to have free; and
// the answers to offers.
OfferCalls Cycle::Explain(const Lifecycle& lifecycle, bool connected, const Plan& plan,
                          Instant now) {
  const Sight sight = lifecycle.See(now);
  refusals_.clear();
  std::set<std::string> elsewhere;
  if (connected && !sight.jobs.empty()) {
    const Plan wider = PlaceAround(SnapshotOf(lifecycle, book_.Known(), sight, now), policy_);
    refusals_ = wider.refusals;
    std::map<std::pair<std::string, std::string>, std::pair<int, AgentId>> fits;
    for (const Launch& launch : wider.launches) {
      elsewhere.insert(lifecycle.OfferRole(lifecycle.state().jobs.at(launch.member.job).job.role));
      auto& fit = fits[{launch.member.job, launch.member.group}];
      ++fit.first;
      fit.second = launch.agent;
    }
    for (const auto& [group, fit] : fits) {
      refusals_.push_back({group.first, group.second, fit.first, Blocker::kNoOffers,
                           fmt::format("fits what agent {} had free when it last offered: waits "
                                       "for its next offer",
                                       fit.second.text)});
    }
  }
  // What waits for others of its job is the smaller news.
  refusals_.insert(refusals_.end(), sight.blocked.begin(), sight.blocked.end());
  if (!connected) return {};
  return book_.Settle(plan, sight.roles, elsewhere, now);
}

Plan Cycle::DryRun(const Lifecycle& lifecycle, Job submitted, Instant now) const {
  const Job job = ExpandGroups(std::move(submitted));
  Plan blocked;
  WaitingJob waiting{
      .job = &job, .role = lifecycle.OfferRole(job.role), .gang_needed = job.gang_members};
  for (const Group& group : job.groups) {
    const Status models = HasModels(lifecycle.state().models, group.work);
    if (!group.after.empty() || !models) {
      blocked.refusals.push_back(
          {job.name, group.name, group.count, models ? Blocker::kAfter : Blocker::kNoModel,
           models ? "waits for group " + group.after.front() : models.error().message});
      continue;
    }
    waiting.groups.push_back({.group = &group,
                              .members = MemberRange::First(static_cast<size_t>(group.count)),
                              .in_gang = job.gang_members > 0});
  }
  Sight sight;
  sight.jobs.push_back(std::move(waiting));
  Plan plan = PlaceAround(SnapshotOf(lifecycle, book_.Known(), sight, now), policy_);
  plan.refusals.insert(plan.refusals.end(), blocked.refusals.begin(), blocked.refusals.end());
  plan.held.clear();
  plan.holder.clear();
  plan.declined.clear();
  return plan;
}

}  // namespace kiln::scheduler
