#include "scheduler/placement/turns.h"

#include <algorithm>

#include "base/prefetch.h"
#include "scheduler/placement/order.h"

namespace kiln::scheduler {
namespace {

// Where a bid comes from: a group of a job, or its gang.
struct Source {
  size_t job = 0;
  std::optional<size_t> group;
};

Precedence PlaceOf(const WaitingJob& job, const Sharing& sharing) {
  return PrecedenceOf(job.job->priority, job.since, sharing.settings->ageing);
}

bool IsInOrder(const Snapshot& snapshot) {
  const std::vector<WaitingJob>& jobs = snapshot.jobs;
  for (size_t i = 1; i < jobs.size(); ++i) {
    if (jobs[i].job->role != jobs[0].job->role) return false;
    if (PlaceOf(jobs[i], *snapshot.sharing) < PlaceOf(jobs[i - 1], *snapshot.sharing)) {
      return false;
    }
  }
  return true;
}

// There are many jobs, and here they are looked at for the first time in a cycle.
void Ahead(const std::vector<WaitingJob>& jobs, size_t at) {
  if (at + 2 * kAhead < jobs.size()) {
    const WaitingJob& later = jobs[at + 2 * kAhead];
    Prefetch(later.job, sizeof(Job));
    Prefetch(later.groups.data());
  }
  if (at + kAhead < jobs.size() && !jobs[at + kAhead].groups.empty()) {
    Prefetch(jobs[at + kAhead].groups[0].facts);
  }
}

bool IsPlain(const WaitingGroup& group) {
  return group.facts != nullptr ? group.facts->plain : group.group->constraints.empty();
}

std::vector<Bid> BidsOf(const Snapshot& snapshot, std::vector<Source>& sources) {
  std::vector<Bid> bids;
  bids.reserve(snapshot.jobs.size());
  sources.reserve(snapshot.jobs.size());
  for (size_t j = 0; j < snapshot.jobs.size(); ++j) {
    Ahead(snapshot.jobs, j);
    const WaitingJob& job = snapshot.jobs[j];
    const Precedence precedence = PlaceOf(job, *snapshot.sharing);
    if (job.StartsTogether()) {
      bids.push_back({.role = job.job->role,
                      .precedence = precedence,
                      .each = GangAmounts(job),
                      .divisible = false});
      sources.push_back({j, std::nullopt});
    }
    for (size_t g = 0; g < job.groups.size(); ++g) {
      const WaitingGroup& group = job.groups[g];
      if (group.in_gang && job.StartsTogether()) continue;
      // Constraints are about all members together.
      bids.push_back({.role = job.job->role,
                      .precedence = precedence,
                      .each = EachOf(group),
                      .count = group.members.size(),
                      .divisible = IsPlain(group)});
      sources.push_back({j, g});
    }
  }
  return bids;
}

// The turn is all that there is of the job.
bool IsWhole(const WaitingJob& job, const Source& source, bool all) {
  return all && job.groups.size() == 1 &&
         (source.group ? !job.StartsTogether() : job.groups[0].in_gang);
}

WaitingGroup PartOf(const WaitingGroup& group, const Turn& turn) {
  return {.group = group.group,
          .members = group.members.Part(turn.first, turn.count),
          .in_gang = group.in_gang,
          .parted = true,
          .facts = group.facts};
}

}  // namespace

Amounts GangAmounts(const WaitingJob& job) {
  Amounts sum{};
  size_t needed = job.gang_needed > 0 ? static_cast<size_t>(job.gang_needed) : SIZE_MAX;
  for (const WaitingGroup& group : job.groups) {
    if (!group.in_gang) continue;
    const size_t count = std::min(needed, group.members.size());
    Add(sum, Times(EachOf(group), static_cast<int64_t>(count)));
    needed -= count;
  }
  return sum;
}

void PutInOrder(Snapshot& snapshot) {
  if (!snapshot.sharing || IsInOrder(snapshot)) return;
  std::vector<Source> sources;
  const std::vector<Bid> bids = BidsOf(snapshot, sources);
  std::vector<WaitingJob> ordered;
  ordered.reserve(bids.size());
  const std::vector<Turn> turns = OrderOf(bids, *snapshot.sharing);
  for (size_t i = 0; i < turns.size(); ++i) {
    if (i + kAhead < turns.size()) {
      Prefetch(&snapshot.jobs[sources[turns[i + kAhead].bid].job], sizeof(WaitingJob));
    }
    const Turn& turn = turns[i];
    const Source& source = sources[turn.bid];
    WaitingJob& job = snapshot.jobs[source.job];
    if (IsWhole(job, source, turn.count == bids[turn.bid].count)) {
      ordered.push_back(std::move(job));
      continue;
    }
    const bool goes_on = !ordered.empty() && ordered.back().job == job.job && source.group;
    if (!goes_on) {
      ordered.push_back({.job = job.job,
                         .role = job.role,
                         .since = job.since,
                         .gang_needed = source.group ? 0 : job.gang_needed,
                         .may_hold = job.may_hold,
                         .placed = job.placed});
    }
    std::vector<WaitingGroup>& groups = ordered.back().groups;
    if (!source.group) {
      for (WaitingGroup& group : job.groups) {
        if (group.in_gang) groups.push_back(std::move(group));
      }
      continue;
    }
    WaitingGroup& group = job.groups[*source.group];
    if (turn.count == bids[turn.bid].count) {
      groups.push_back(std::move(group));
    } else if (!groups.empty() && groups.back().group == group.group) {
      // The turns of a group follow each other.
      MemberRange& members = groups.back().members;
      const size_t count = members.size() + turn.count;
      members = group.members.Part(turn.first + turn.count - count, count);
    } else {
      groups.push_back(PartOf(group, turn));
    }
  }
  snapshot.jobs = std::move(ordered);
}

}  // namespace kiln::scheduler
