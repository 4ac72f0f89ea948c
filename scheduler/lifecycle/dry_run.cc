#include "scheduler/lifecycle/dry_run.h"

#include <iterator>

#include "scheduler/lifecycle/models.h"

namespace kiln::scheduler {

bool DryRun::GoOn(const Lifecycle& lifecycle, const OfferBook& book, const Policy& policy,
                  Instant now) {
  if (judging_ == nullptr) judging_ = std::make_unique<Judgement>(now);
  if (judging_->planning == nullptr) {
    if (!book.CopyKnown(kCopiesInACycle, judging_->offers)) return false;
    Begin(lifecycle, book, policy, now);
    if (!queued_) return false;
  }
  return judging_->planning->GoOn(queued_ ? SIZE_MAX : kLooksInACycle);
}

void DryRun::Begin(const Lifecycle& lifecycle, const OfferBook& book, const Policy& policy,
                   Instant now) {
  Judgement& judging = *judging_;
  judging.sight = book.KnownSize() > kSmallCluster ? Sight{} : lifecycle.See(now);
  queued_ = book.KnownSize() <= kSmallCluster && IsSmall(book, *judging.sight);
  if (!queued_) judging.sight = Sight{};
  std::vector<WaitingJob>& jobs = judging.sight->jobs;
  std::erase_if(jobs, [this](const WaitingJob& one) { return one.job->name == job_.name; });
  jobs.push_back(Waiting(lifecycle, now));
  judging.jobs = lifecycle.HoldJobs();
  judging.outlook = DetailedOutlook(lifecycle, now);
  judging.snapshot = SnapshotOf(lifecycle, book, std::move(judging.offers), std::move(jobs),
                                std::move(judging.sight->usual), judging.outlook);
  judging.planning = BeginByClaims(judging.snapshot, policy);
}

WaitingJob DryRun::Waiting(const Lifecycle& lifecycle, Instant now) {
  WaitingJob waiting{.job = &job_,
                     .role = lifecycle.OfferRole(job_.role),
                     .since = now,
                     .gang_needed = job_.gang_members};
  blocked_.clear();
  for (const Group& group : job_.groups) {
    const Status models = HasModels(lifecycle.state().models, group.work);
    if (!group.after.empty() || !models) {
      blocked_.push_back(
          {job_.name, group.name, group.count, models ? Blocker::kAfter : Blocker::kNoModel,
           models ? "waits for group " + group.after.front() : models.error().message});
      continue;
    }
    waiting.groups.push_back({.group = &group,
                              .members = MemberRange::First(static_cast<size_t>(group.count)),
                              .in_gang = IsInGang(job_, group)});
  }
  waiting.may_hold = !waiting.IsRevocable();
  return waiting;
}

Plan DryRun::Take() {
  Plan all = judging_->planning->Take();
  Plan plan;
  const auto own = [this](const auto& job) { return job == job_.name; };
  std::copy_if(all.launches.begin(), all.launches.end(), std::back_inserter(plan.launches),
               [&](const Launch& launch) { return own(launch.member.job); });
  std::copy_if(all.refusals.begin(), all.refusals.end(), std::back_inserter(plan.refusals),
               [&](const Refusal& refusal) { return own(refusal.job); });
  plan.refusals.insert(plan.refusals.end(), blocked_.begin(), blocked_.end());
  for (Refusal& refusal : plan.refusals) {
    std::string& words = refusal.estimate.words;
    if (refusal.estimate.start && !queued_) words += ", if nothing that waits goes first";
    if (words.empty()) words = kNotWhile;
  }
  return plan;
}

}  // namespace kiln::scheduler
