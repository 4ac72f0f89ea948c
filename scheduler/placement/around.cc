#include "scheduler/placement/around.h"

#include <algorithm>
#include <optional>
#include <tuple>

namespace kiln::scheduler {
namespace {

constexpr size_t kProbesTried = 8;  // the smallest groups that wait

class Around final : public Planning {
 public:
  Around(const Snapshot& snapshot, std::vector<Offer> offers, const Policy& policy)
      : bars_(snapshot.bars), policy_(policy), shared_(snapshot.shared), open_(FrameOf(snapshot)) {
    open_.jobs = snapshot.jobs;
    open_.outlook = snapshot.outlook;
    for (auto& [key, shares] : open_.shared) {
      const auto bar = bars_.find(key.first);
      if (bar == bars_.end()) continue;
      std::erase_if(shares, [&](const GpuShare& one) { return bar->second.gpus.contains(one.id); });
    }
    std::map<std::pair<AgentId, std::string>, std::vector<Offer>> probed;
    for (Offer& offer : offers) {
      const auto bar = bars_.find(offer.agent.id);
      if (bar == bars_.end()) {
        open_.offers.push_back(std::move(offer));
        continue;
      }
      barred_.push_back(offer);
      if (bar->second.reason.empty()) {
        open_.offers.push_back(WithoutBarred(std::move(offer), bar->second));
      } else if (bar->second.probe) {
        probed[{offer.agent.id, offer.role}].push_back(
            WithoutBarred(std::move(offer), bar->second));
      }
    }
    ProbeAll(probed);
    open_plan_ = BeginPlace(open_, policy_);
  }

  bool GoOn(size_t looks) override { return open_plan_->GoOn(looks); }

  Plan Take() override {
    Plan plan = open_plan_->Take();
    plan.launches.insert(plan.launches.begin(), probes_.begin(), probes_.end());
    if (!plan.refusals.empty() && !open_.brief) Explain(plan);
    return plan;
  }

 private:
  using Candidate = std::pair<WaitingJob*, WaitingGroup*>;

  // By agent and role.
  void ProbeAll(const std::map<std::pair<AgentId, std::string>, std::vector<Offer>>& probed) {
    std::set<AgentId> busy;
    for (const auto& [key, offers] : probed) {
      if (busy.contains(key.first)) continue;  // by another role
      if (auto launch = Probe(key.second, offers)) {
        busy.insert(key.first);
        probes_.push_back(*std::move(launch));
      }
    }
  }

  // The groups that ask for least and may lose an attempt.
  std::vector<Candidate> Candidates(const std::string& role) {
    std::vector<Candidate> list;
    for (WaitingJob& job : open_.jobs) {
      if (job.role != role || job.job->retries == 0) continue;
      for (WaitingGroup& group : job.groups) {
        const bool alone = !group.in_gang || !job.StartsTogether();
        if (alone && !group.members.empty()) list.emplace_back(&job, &group);
      }
    }
    const auto size = [](const Candidate& candidate) {
      const Group& group = *candidate.second->group;
      return std::tuple(group.gpus.count, group.gpus.share, group.cpus_milli, group.mem);
    };
    const auto end = list.begin() + static_cast<long>(std::min(list.size(), kProbesTried));
    std::partial_sort(list.begin(), end, list.end(),
                      [&](const Candidate& a, const Candidate& b) { return size(a) < size(b); });
    list.erase(end, list.end());
    return list;
  }

  std::optional<Launch> Probe(const std::string& role, const std::vector<Offer>& offers) {
    for (const auto& [job, group] : Candidates(role)) {
      Snapshot alone = Of(offers);
      WaitingGroup one = *group;
      one.members = one.members.Part(0, 1);
      one.in_gang = false;
      alone.jobs.push_back({.job = job->job, .role = role, .groups = {std::move(one)}});
      Plan plan = Place(alone, policy_);
      if (plan.launches.empty()) continue;
      group->members = group->members.Part(1, group->members.size() - 1);
      group->placed.push_back(plan.launches[0].agent);
      Use(job->job->role, plan.launches[0].resources);
      return std::move(plan.launches[0]);
    }
    return std::nullopt;
  }

  // A probe counts against the limits of its role.
  void Use(const std::string& role, const Resources& resources) {
    if (!open_.sharing) return;
    Add(open_.sharing->use[role].used, AmountsOf(resources));
  }

  Snapshot Of(std::vector<Offer> offers) const {
    Snapshot snapshot = FrameOf(open_);
    snapshot.offers = std::move(offers);
    return snapshot;
  }

  // What the agents that are barred have left, in one offer for each role.
  std::vector<Offer> LeftBehindBars(const Plan& plan) const {
    std::map<std::pair<AgentId, std::string>, Offer> left;
    for (const Offer& offer : barred_) {
      const auto [one, is_new] = left.try_emplace({offer.agent.id, offer.role}, offer);
      if (!is_new) one->second.resources += offer.resources;
    }
    std::vector<Offer> offers;
    for (auto& [key, offer] : left) {
      for (const Launch& launch : plan.launches) {
        Resources taken = launch.resources;
        taken.gpu_shares.clear();  // no part of an offer
        const bool here = launch.agent == key.first && offer.resources.Contains(taken);
        if (here) offer.resources -= taken;
      }
      offers.push_back(std::move(offer));
    }
    return offers;
  }

  const std::string& ReasonFor(const Launch& launch) const {
    const Bar& bar = bars_.at(launch.agent);
    std::vector<GpuId> ids = launch.resources.gpu_ids;
    for (const GpuShare& share : launch.resources.gpu_shares) ids.push_back(share.id);
    for (const GpuId& id : ids) {
      const auto found = bar.gpus.find(id);
      if (found != bar.gpus.end()) return found->second;
    }
    return bar.reason;
  }

  // Refusals of groups that would find room behind a bar: member by member, gang or not.
  void Explain(Plan& plan) const {
    Snapshot behind = Of(LeftBehindBars(plan));
    behind.shared = shared_;
    std::set<std::pair<std::string, std::string>> refused;
    for (const Refusal& refusal : plan.refusals) refused.emplace(refusal.job, refusal.group);
    for (WaitingJob job : open_.jobs) {
      job.gang_needed = 0;
      std::erase_if(job.groups, [&](const WaitingGroup& group) {
        return !refused.contains({job.job->name, group.group->name});
      });
      for (WaitingGroup& group : job.groups) {
        group.in_gang = false;
        group.members = group.members.Part(0, std::min<size_t>(group.members.size(), 1));
      }
      if (!job.groups.empty()) behind.jobs.push_back(std::move(job));
    }
    std::map<std::pair<std::string, std::string>, std::string> reasons;
    for (const Launch& launch : Place(behind, policy_).launches) {
      reasons[{launch.member.job, launch.member.group}] = ReasonFor(launch);
    }
    for (Refusal& refusal : plan.refusals) {
      const auto found = reasons.find({refusal.job, refusal.group});
      if (found == reasons.end() || found->second.empty()) continue;
      if (refusal.blocker == Blocker::kLimit) continue;
      const bool nothing = refusal.blocker == Blocker::kNoOffers;
      refusal.reason = nothing ? found->second : refusal.reason + "; " + found->second;
      refusal.blocker = Blocker::kQuarantine;
    }
  }

  const Bars& bars_;
  const Policy& policy_;
  const decltype(Snapshot::shared)& shared_;
  Snapshot open_;
  std::vector<Offer> barred_;  // wholly or in part
  std::vector<Launch> probes_;
  std::unique_ptr<Planning> open_plan_;
};

}  // namespace

Offer WithoutBarred(Offer offer, const Bar& bar) {
  std::erase_if(offer.resources.gpu_ids, [&](const GpuId& id) { return bar.gpus.contains(id); });
  for (Gpu& gpu : offer.agent.gpus) {
    if (bar.gpus.contains(gpu.id)) gpu.healthy = false;
  }
  return offer;
}

Snapshot FrameOf(const Snapshot& snapshot) {
  return {.sharing = snapshot.sharing,
          .agents = snapshot.agents,
          .levels = snapshot.levels,
          .warm = snapshot.warm,
          .brief = snapshot.brief,
          .shared = snapshot.shared,
          .bars = snapshot.bars,
          .usual = snapshot.usual,
          .executor = snapshot.executor,
          .seed = snapshot.seed};
}

Plan PlaceAround(const Snapshot& snapshot, const Policy& policy) {
  if (snapshot.bars.empty()) return Place(snapshot, policy);
  Around around(snapshot, snapshot.offers, policy);
  around.GoOn(SIZE_MAX);
  return around.Take();
}

std::unique_ptr<Planning> BeginAround(Snapshot& snapshot, const Policy& policy) {
  if (snapshot.bars.empty()) return BeginPlace(snapshot, policy);
  return std::make_unique<Around>(snapshot, std::move(snapshot.offers), policy);
}

}  // namespace kiln::scheduler
