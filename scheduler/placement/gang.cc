#include "scheduler/placement/gang.h"

#include <algorithm>

#include "scheduler/placement/needs.h"

namespace kiln::scheduler {

Gang::Gang(MemberPlacer& placer, GangView view, const WaitingJob& job)
    : placer_(placer), view_(view), job_(job) {
  for (const WaitingGroup& group : job.groups) {
    if (!group.in_gang) continue;
    parts_.push_back(placer.Begin(group));
    needs_.push_back(view.ranking.NeedOf(*group.group));
  }
}

Cause Gang::Place() {
  if (parts_.empty()) return {};
  if (job_.IsNear()) return PlaceNear();
  Put(nullptr);
  return Together(CauseOfFirst(nullptr));
}

std::vector<size_t> Gang::Out() const {
  std::vector<size_t> out;
  for (const Part& part : parts_) out.push_back(part.Missing());
  return out;
}

size_t Gang::Holds(size_t room, size_t group) const {
  return view_.ranking.Holds(room, *parts_[group].group->group, needs_[group]);
}

void Gang::Put(const std::vector<size_t>* rooms) { placer_.Put(job_, parts_, rooms, log_); }

bool Gang::Done() const {
  return std::all_of(parts_.begin(), parts_.end(), [this](const Part& part) {
    return part.Missing() == 0 || view_.limits.Over(job_.job->role, AmountsOf(*part.group->group));
  });
}

void Gang::TakeAllBack() {
  placer_.TakeBack(job_, log_);
  log_.clear();
  for (Part& part : parts_) part = placer_.Begin(*part.group);
}

Cause Gang::PlaceNear() {
  const bool hopeless = std::all_of(parts_.begin(), parts_.end(), [this](const Part& part) {
    return placer_.Hopeless(job_, *part.group) != nullptr;
  });
  if (hopeless) return *placer_.Hopeless(job_, *parts_[0].group);
  const Nearness nearness = NearnessOf(*job_.job, view_.snapshot.levels);
  Topology& topology = placer_.TopologyOf(job_.role, nearness.levels);
  std::vector<size_t> live;
  for (const AgentId& id : job_.placed) {
    const Agent* agent = FindAgent(id, view_.rooms, view_.snapshot.agents);
    if (agent != nullptr) live.push_back(topology.Locate(*agent));
  }
  const size_t out = Waiting();
  const Gathered gathered = Gather(topology, live, nearness, *this);
  if (Waiting() == 0) return {};
  if (nearness.require < 0) return Together(CauseOfFirst(nullptr));
  const bool somewhere = !log_.empty() || gathered.live > 0;
  if (!somewhere && !FitsAnywhere()) return CauseOfFirst(nullptr);
  const std::vector<size_t> scope =
      somewhere ? topology.RoomsOf(gathered.domain) : topology.RoomsAt(nearness.require);
  const Cause next = CauseOfFirst(&scope);
  if (next.blocker == Blocker::kLimit || (!somewhere && gathered.domains > 0)) return next;
  const bool enough = log_.size() >= static_cast<size_t>(job_.gang_needed);
  const size_t needed = enough ? out : static_cast<size_t>(job_.gang_needed);
  return {Blocker::kTopology,
          ReasonOf(topology, gathered, job_.job->gang_require, needed, log_.size()) +
              (scope.empty() ? "" : ": the next " + next.reason)};
}

bool Gang::FitsAnywhere() {
  Put(nullptr);
  if (log_.empty()) return false;
  TakeAllBack();
  return true;
}

size_t Gang::Waiting() const {
  size_t sum = 0;
  for (const Part& part : parts_) sum += part.Missing();
  return sum;
}

Cause Gang::CauseOfFirst(const std::vector<size_t>* scope) const {
  for (const Part& part : parts_) {
    if (part.Missing() == 0) continue;
    Cause cause = placer_.CauseOf(job_, part, scope);
    if (scope == nullptr && log_.empty()) placer_.Despair(job_, *part.group, cause);
    return cause;
  }
  return {};
}

Cause Gang::Together(Cause next) const {
  const auto needed = static_cast<size_t>(job_.gang_needed);
  if (log_.empty() || log_.size() >= needed) return next;
  return {Blocker::kGang, fmt::format("needs {} members, {} fit{}{}", needed, log_.size(),
                                      next.reason.empty() ? "" : ": the next ", next.reason)};
}

}  // namespace kiln::scheduler
