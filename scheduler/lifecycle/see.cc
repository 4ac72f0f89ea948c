// What waits, and why.
#include <algorithm>

#include "base/prefetch.h"
#include "model/units.h"
#include "scheduler/lifecycle/lifecycle.h"
#include "scheduler/lifecycle/models.h"
#include "scheduler/placement/constraints.h"
#include "scheduler/placement/wants.h"

namespace kiln::scheduler {
namespace {

int Waiting(const GroupRun& run) { return static_cast<int>(run.ready.size() + run.resting.size()); }

Refusal RefusalOf(const JobRecord& record, const Group& group, int members, Blocker blocker,
                  std::string reason) {
  return {record.job.name, group.name, members, blocker, std::move(reason)};
}

// "2 members rest after a failure, the next starts in 3.2s: cannot read /srv/x.csv"
std::string RestReason(const GroupRun& run, const std::map<TaskId, Task>& tasks, Instant now) {
  const Member* first = nullptr;
  for (const int index : MemberRange(run.resting)) {
    const Member& member = run.members[static_cast<size_t>(index)];
    if (first == nullptr || member.rests_until < first->rests_until) first = &member;
  }
  const Duration left = std::max(first->rests_until - now, Duration(0));
  const auto last = first->ended.empty() ? tasks.end() : tasks.find(first->ended.back());
  return fmt::format(
      "{} after a failure, {} in {}{}",
      run.resting.size() == 1 ? "1 member rests"
                              : fmt::format("{} members rest", run.resting.size()),
      run.resting.size() == 1 ? "it starts again" : "the next starts", FormatDuration(left),
      last == tasks.end() || last->second.message.empty() ? "" : ": " + last->second.message);
}

// Where the live members are.
void AddPlaces(const GroupRun& run, std::vector<AgentId>& places) {
  for (const Member& member : run.members) {
    if (member.live != nullptr) places.push_back(member.live->agent);
  }
}

}  // namespace

Sight Lifecycle::See(Instant now, std::vector<WaitingJob> used) const {
  Sight sight{.jobs = std::move(used)};
  sight.jobs.resize(order_.size());
  auto next = sight.jobs.begin();
  if (line_.empty()) {
    for (const auto& [order, queued] : order_) line_.push_back(&queued);
  }
  for (size_t i = 0; i < line_.size(); ++i) {
    if (i + 2 * kAhead < line_.size()) Prefetch(line_[i + 2 * kAhead], sizeof(Queued));
    if (i + kAhead < line_.size()) {
      Prefetch(&line_[i + kAhead]->run->changed);
      Prefetch(line_[i + kAhead]->seen.waiting.groups.data());
    }
    if (sight.jobs.end() - next > static_cast<ptrdiff_t>(kAhead)) {
      Prefetch((next + kAhead)->groups.data());  // of a sight before, to be written over
    }
    const Queued& queued = *line_[i];
    Seen& seen = queued.seen;
    if (std::exchange(queued.run->changed, false) || !seen.lasts) {
      SeeJob(*queued.record, *queued.run, now, seen, sight);
    }
    sight.usual.insert(sight.usual.end(), seen.usual.begin(), seen.usual.end());
    const bool waits = !seen.waiting.groups.empty();
    if (seen.soon || waits) sight.roles.insert(seen.waiting.role);
    if (waits) *next++ = seen.waiting;
  }
  sight.jobs.erase(next, sight.jobs.end());
  for (const auto& [ended, name] : ended_jobs_) {
    for (const Group& group : state_.jobs.at(name).job.groups) {
      if (group.gpus.Any()) sight.usual.emplace_back(&group, static_cast<size_t>(group.count));
    }
  }
  if (Settled(now)) return sight;
  const bool connected = reconciliation_.Running();
  for (const WaitingJob& job : sight.jobs) {
    for (const WaitingGroup& group : job.groups) {
      sight.blocked.push_back(
          {job.job->name, group.group->name, static_cast<int>(group.members.size()),
           connected ? Blocker::kRecovering : Blocker::kNotConnected,
           connected ? "waits until Mesos has told of the tasks that were running"
                     : "waits for the connection to a Mesos master"});
    }
  }
  sight.jobs.clear();
  return sight;
}

// What keeps a whole group back, whatever is offered.
std::optional<Refusal> Lifecycle::Blocked(const JobRecord& record, const Group& group,
                                          const JobRun& run) const {
  const int waiting = Waiting(run.groups[static_cast<size_t>(GroupIndex(record.job, group.name))]);
  for (const std::string& name : record.job.after) {
    const auto before = state_.jobs.find(name);
    if (before != state_.jobs.end() && before->second.phase == JobPhase::kSucceeded) continue;
    const char* phase =
        before == state_.jobs.end() ? "not known" : JobPhaseName(before->second.phase);
    return RefusalOf(record, group, waiting, Blocker::kAfter,
                     fmt::format("waits for job {}, which is {}", name, phase));
  }
  for (const std::string& name : group.after) {
    const auto index = static_cast<size_t>(GroupIndex(record.job, name));
    const GroupRun& before = run.groups[index];
    if (before.Finished()) continue;
    return RefusalOf(record, group, waiting, Blocker::kAfter,
                     fmt::format("waits for group {}, of which {} of {} have finished", name,
                                 before.finished, before.members.size()));
  }
  if (const Status models = HasModels(state_.models, group.work); !models) {
    return RefusalOf(record, group, waiting, Blocker::kNoModel, models.error().message);
  }
  return std::nullopt;
}

WaitingGroup Lifecycle::WaitingOf(const Group& group, const GroupRun& run) const {
  WaitingGroup waiting{.group = &group, .members = MemberRange(run.ready)};
  if (CountMembers(group.constraints)) AddPlaces(run, waiting.placed);
  return waiting;
}

// Of `seen` nothing stays as it is.
void Lifecycle::SeeJob(const JobRecord& record, const JobRun& run, Instant now, Seen& seen,
                       Sight& sight) const {
  const Job& job = record.job;
  const size_t blocked = sight.blocked.size();
  WaitingJob& waiting = seen.waiting;
  waiting = {.job = &job,
             .role = OfferRole(job.role),
             .since = record.submitted,
             .gang_needed = job.gang_members};
  seen.usual.clear();
  seen.soon = false;
  seen.lasts = true;
  if (record.phase == JobPhase::kKilling) return;
  if (seen.facts.empty()) {
    for (const Group& group : job.groups) seen.facts.push_back(FactsOf(job, group, waiting.role));
  }
  int ready = 0;
  for (size_t i = 0; i < job.groups.size(); ++i) {
    const Group& group = job.groups[i];
    const GroupRun& members = run.groups[i];
    const bool in_gang = IsInGang(job, group);
    // Who is about to leave is none of the gang, which starts again as a whole.
    if (in_gang) waiting.gang_needed -= members.live - members.leaving + members.finished;
    if (group.gpus.Any()) {
      seen.usual.emplace_back(&group, members.members.size() - members.ready.size());
    }
    if (!group.volumes.empty()) SeeCutOff(record, group, members, sight);
    if (Waiting(members) == 0) continue;
    if (auto refusal = Blocked(record, group, run)) {
      sight.blocked.push_back(*std::move(refusal));
      continue;
    }
    if (!members.resting.empty()) {
      seen.soon = true;
      sight.blocked.push_back(RefusalOf(record, group, static_cast<int>(members.resting.size()),
                                        Blocker::kBackoff, RestReason(members, state_.tasks, now)));
    }
    if (members.ready.empty()) continue;
    waiting.groups.reserve(job.groups.size());
    waiting.groups.push_back(WaitingOf(group, members));
    waiting.groups.back().in_gang = in_gang;
    if (group.volumes.empty()) {
      waiting.groups.back().facts = &seen.facts[i];
    } else {
      const WaitingGroup all = std::move(waiting.groups.back());
      waiting.groups.pop_back();
      for (WaitingGroup& part : volumes_.Split(job.name, all, sight.lent)) {
        waiting.groups.push_back(std::move(part));
      }
    }
    if (in_gang) ready += static_cast<int>(members.ready.size());
  }
  waiting.gang_needed = std::max(waiting.gang_needed, 0);
  if (waiting.gang_needed > ready) {
    // Some of the gang rest, or are blocked: the others wait for them.
    std::erase_if(waiting.groups, [&](const WaitingGroup& group) {
      if (!group.in_gang) return false;
      sight.blocked.push_back(
          RefusalOf(record, *group.group, static_cast<int>(group.members.size()), Blocker::kGang,
                    fmt::format("needs {} members together, {} may start at this moment",
                                waiting.gang_needed, ready)));
      return true;
    });
  }
  for (size_t i = 0; !waiting.groups.empty() && waiting.IsNear() && i < job.groups.size(); ++i) {
    if (job.groups[i].after.empty()) AddPlaces(run.groups[i], waiting.placed);
  }
  waiting.near = waiting.IsNear();
  waiting.may_hold = !waiting.IsRevocable();
  // Others, and time, change what keeps it back; and what volumes are asked for by is lent by this
  // sight alone.
  const bool lends = std::any_of(job.groups.begin(), job.groups.end(),
                                 [](const Group& group) { return !group.volumes.empty(); });
  seen.lasts = job.after.empty() && sight.blocked.size() == blocked && !lends;
}

}  // namespace kiln::scheduler
