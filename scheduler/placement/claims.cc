#include "scheduler/placement/claims.h"

#include <algorithm>
#include <map>
#include <set>

#include "scheduler/placement/around.h"

namespace kiln::scheduler {
namespace {

// The job without the members that have started, who are the first ones.
void RemoveStarted(const std::set<MemberId>& started, WaitingJob& job) {
  for (WaitingGroup& group : job.groups) {
    size_t count = 0;
    for (const int index : group.members) {
      if (!started.contains({job.job->name, group.group->name, index})) break;
      ++count;
    }
    group.members = group.members.Part(count, group.members.size() - count);
    if (group.in_gang) job.gang_needed -= static_cast<int>(count);
  }
  job.gang_needed = std::max(job.gang_needed, 0);
  std::erase_if(job.groups, [](const WaitingGroup& group) { return group.members.empty(); });
}

class ByClaims final : public Planning {
 public:
  ByClaims(const Snapshot& snapshot, std::vector<Offer> offers, const Policy& policy)
      : snapshot_(snapshot), policy_(policy), rest_(FrameOf(snapshot)) {
    rest_.outlook = snapshot.outlook;
    rest_.claims = snapshot.claims;  // there are other agents than those in its offers
    for (const Claim& claim : snapshot.claims) {
      by_job_.emplace(claim.job, &claim);
      for (const AgentId& agent : claim.agents) owners_.emplace(agent, &claim);
    }
    for (Offer& offer : offers) {
      const auto owner = owners_.find(offer.agent.id);
      (owner == owners_.end() ? rest_.offers : kept_[owner->second]).push_back(std::move(offer));
    }
    for (auto& [claim, own] : kept_) PlaceOwn(*claim, std::move(own));
    std::set<MemberId> started;
    for (const Launch& launch : plan_.launches) started.insert(launch.member);
    for (WaitingJob job : snapshot_.jobs) {
      if (by_job_.contains(job.job->name)) {
        job.may_hold = false;
        RemoveStarted(started, job);
      }
      if (!job.groups.empty()) rest_.jobs.push_back(std::move(job));
    }
    rest_plan_ = BeginAround(rest_, policy_);
  }

  bool GoOn(size_t looks) override { return rest_plan_->GoOn(looks); }

  Plan Take() override {
    Plan plan = rest_plan_->Take();
    plan.launches.insert(plan.launches.begin(), plan_.launches.begin(), plan_.launches.end());
    plan.held.insert(plan.held.end(), plan_.held.begin(), plan_.held.end());
    for (Refusal& refusal : plan.refusals) {
      const auto claim = by_job_.find(refusal.job);
      if (claim != by_job_.end()) {
        refusal.blocker = Blocker::kPreempting;
        refusal.reason = claim->second->why;
      } else if (refusal.blocker == Blocker::kNoOffers && !kept_.empty()) {
        refusal.reason = "what agents have free is kept for job " + kept_.begin()->first->job;
      }
    }
    return plan;
  }

 private:
  // The job of the claim, and those with a claim to the same agents, on these agents.
  void PlaceOwn(const Claim& claim, std::vector<Offer> offers) {
    Snapshot own = FrameOf(snapshot_);
    own.sharing = rest_.sharing;
    own.offers = std::move(offers);
    std::map<std::string, std::string> roles;
    for (const WaitingJob& job : snapshot_.jobs) {
      const auto other = by_job_.find(job.job->name);
      if (other == by_job_.end() || other->second->agents != claim.agents) continue;
      roles[job.job->name] = job.job->role;
      own.jobs.push_back(job);
      own.jobs.back().may_hold = false;
    }
    const Plan plan = PlaceAround(own, policy_);
    for (const Launch& launch : plan.launches) {
      if (!rest_.sharing) break;
      Add(rest_.sharing->use[roles.at(launch.member.job)].used, AmountsOf(launch.resources));
    }
    plan_.launches.insert(plan_.launches.end(), plan.launches.begin(), plan.launches.end());
    plan_.held.insert(plan_.held.end(), plan.declined.begin(), plan.declined.end());
  }

  const Snapshot& snapshot_;
  const Policy& policy_;
  Snapshot rest_;
  std::map<std::string, const Claim*> by_job_;
  std::map<AgentId, const Claim*> owners_;
  std::map<const Claim*, std::vector<Offer>> kept_;  // claims lie in one list
  Plan plan_;                                        // of the agents of claims
  std::unique_ptr<Planning> rest_plan_;              // of the others
};

}  // namespace

Plan PlaceByClaims(const Snapshot& snapshot, const Policy& policy) {
  if (snapshot.claims.empty()) return PlaceAround(snapshot, policy);
  ByClaims by_claims(snapshot, snapshot.offers, policy);
  by_claims.GoOn(SIZE_MAX);
  return by_claims.Take();
}

std::unique_ptr<Planning> BeginByClaims(Snapshot& snapshot, const Policy& policy) {
  if (snapshot.claims.empty()) return BeginAround(snapshot, policy);
  return std::make_unique<ByClaims>(snapshot, std::move(snapshot.offers), policy);
}

}  // namespace kiln::scheduler
