#include "scheduler/placement/refusals.h"

namespace kiln::scheduler {

bool Refusals::Add(const WaitingJob& job, const WaitingGroup& group, size_t members,
                   const Cause& cause) {
  if (brief_ && !told_.insert(cause.blocker).second) return false;
  if (group.parted) {
    const auto [found, first] = parted_.try_emplace(group.group, list_.size());
    if (!first) {
      list_[found->second].members += static_cast<int>(members);
      return false;
    }
  }
  list_.push_back({job.job->name, group.group->name, static_cast<int>(members), cause.blocker, {}});
  if (brief_) return true;
  list_.back().reason = cause.reason + QuotaWords(job, group, cause.blocker);
  list_.back().nearest = cause.nearest;
  list_.back().held_by = cause.held_by;
  return true;
}

size_t Refusals::AddGang(const WaitingJob& job, const Cause& cause) {
  size_t count = 0;
  for (const WaitingGroup& group : job.groups) {
    if (group.in_gang && Add(job, group, group.members.size(), cause)) ++count;
  }
  return count;
}

void Refusals::Tell(size_t last, const Estimate& estimate) {
  if (brief_) return;
  for (size_t i = list_.size() - last; i < list_.size(); ++i) list_[i].estimate = estimate;
}

// Why others go first: because of the quota of this job's role, or because of theirs.
std::string Refusals::QuotaWords(const WaitingJob& job, const WaitingGroup& group,
                                 Blocker blocker) {
  if (blocker == Blocker::kLimit) return {};
  const bool gang = group.in_gang && job.StartsTogether();
  const std::string owed =
      limits_.Owed(job.job->role, gang ? GangAmounts(job) : AmountsOf(*group.group));
  if (owed_.empty() && !owed.empty()) owed_ = owed;
  if (!owed.empty()) return fmt::format("; {}, goes first", owed);
  return owed_.empty() ? "" : fmt::format("; behind {}", owed_);
}

}  // namespace kiln::scheduler
