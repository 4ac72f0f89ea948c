#include "scheduler/placement/victims.h"

#include <algorithm>

#include "base/prefetch.h"

namespace kiln::scheduler {
namespace {

constexpr int kDoublingsMax = 6;  // of the time that a member may run in peace
constexpr double kEach = 1e-9;    // of equal prices the one with fewer victims

// There may be a million tasks, and nobody has looked at them lately.
void AskFor(const Task& task) {
  Prefetch(&task.state);
  Prefetch(&task.evictions);
  Prefetch(&task.started);
  Prefetch(&task.resources);
}

bool MayEnd(const Task& task, const Preemptor& preemptor, const PreemptionSettings& settings,
            Instant now) {
  // Who has volumes has nowhere else to go.
  const bool movable = task.checkpointed.nanoseconds > 0 && task.resources.volumes.empty();
  if (preemptor.moves && !movable) return false;
  if (task.state != TaskState::kRunning && task.state != TaskState::kStarting &&
      task.state != TaskState::kStaging) {
    return false;
  }
  const Instant since = task.started.nanoseconds > 0 ? task.started : task.launched;
  return now - since >= settings.min_run * (1 << std::min(task.evictions, kDoublingsMax));
}

Duration Lost(const Task& task, Instant now) {
  if (task.started.nanoseconds == 0) return {};
  return std::max(now - std::max(task.started, task.checkpointed), Duration(0));
}

}  // namespace

double ShareOf(const Amounts& amounts, const Amounts& total) {
  double share = 0;
  for (size_t i = 0; i < amounts.size(); ++i) {
    if (total[i] == 0) continue;
    share = std::max(share, static_cast<double>(amounts[i]) / static_cast<double>(total[i]));
  }
  return share;
}

Victims::Victims(const Running& running, const Preemptor& preemptor, const Sharing& sharing,
                 const PreemptionSettings& settings, Instant now)
    : running_(running), total_(sharing.total), restart_(settings.restart) {
  for (const Role& role : sharing.settings->roles) {
    // What is exchanged below a role leaves the role as it was, and so does a move.
    if (preemptor.moves || role.quota == Amounts{} || IsWithin(preemptor.job->role, role.name))
      continue;
    Quota& quota = quotas_[role.name];
    quota.quota = role.quota;
    for (const auto& [name, use] : sharing.use) {
      if (IsWithin(name, role.name)) Add(quota.used, use.used);
    }
  }
  // Those over whom there is a right are few as a rule, and the others are not looked at.
  std::vector<RunningTask> entitled;
  for (const auto& [agent, tasks] : running.Agents()) {
    for (const RunningTask& one : tasks) {
      if (one.job->role != preemptor.offers) continue;
      if (one.leaves) {
        leaving_.push_back(one.task);
      } else if (HasRightOver(*one.job, preemptor, settings)) {
        entitled.push_back(one);
      }
    }
  }
  TeamNumbers numbers;
  for (size_t i = 0; i < entitled.size(); ++i) {
    if (i + kAhead < entitled.size()) AskFor(*entitled[i + kAhead].task);
    Look(entitled[i], preemptor, settings, now, numbers);
  }
  for (Team& team : teams_) {
    for (const size_t member : team.members) {
      team.cost += candidates_[member].cost;
      Add(team.amounts, AmountsOf(candidates_[member].task->resources));
    }
  }
}

bool Victims::HasRightOver(const RunningJob& running, const Preemptor& preemptor,
                           const PreemptionSettings& settings) {
  const Job& job = *running.job;
  if (preemptor.moves) {
    const bool higher = job.role == preemptor.job->role && job.priority > preemptor.job->priority;
    return EndsByItself(job.kind) && job.preemptible && !higher &&
           !preemptor.stay.contains(job.name);
  }
  if (job.role == preemptor.job->role) {
    return settings.by_priority && job.preemptible && job.priority < preemptor.job->priority;
  }
  const bool owed = settings.by_quota && !preemptor.owed_quota.empty();
  return owed && !IsWithin(job.role, preemptor.owed_quota);
}

void Victims::Look(const RunningTask& one, const Preemptor& preemptor,
                   const PreemptionSettings& settings, Instant now, TeamNumbers& numbers) {
  const size_t team = TeamOf(one, numbers);
  if (team != 0) ++teams_[team].spare;
  if (!MayEnd(*one.task, preemptor, settings, now)) {
    teams_[team].whole = false;
    return;
  }
  if (team != 0) teams_[team].members.push_back(candidates_.size());
  candidates_.push_back({one.task, one.job, team, CostOf(*one.task, Lost(*one.task, now)), false});
}

// Members that live count from below zero: what a team needs is no spare.
size_t Victims::TeamOf(const RunningTask& one, TeamNumbers& numbers) {
  const Job& job = *one.job->job;
  const std::string& group = one.task->member.group;
  const bool gang = IsInGang(job, group);
  if (!gang && EndsByItself(job.kind)) return 0;
  const auto [team, is_new] =
      numbers.try_emplace({one.job, gang ? std::string_view() : group}, teams_.size());
  if (is_new) {
    const int needed = gang ? std::max(job.gang_members - one.job->finished, 0) : 1;
    teams_.push_back({.gang = gang, .spare = -needed, .whole = gang && EndsByItself(job.kind)});
  }
  return team->second;
}

double Victims::CostOf(const Task& task, Duration lost) const {
  return ToSeconds(lost + restart_) * ShareOf(AmountsOf(task.resources), total_) + kEach;
}

bool Victims::QuotaAllows(const RunningJob& job, const Amounts& amounts) const {
  if (quotas_.empty()) return true;
  for (std::string_view role = job.job->role; !role.empty(); role = ParentRole(role)) {
    const auto quota = quotas_.find(role);
    if (quota == quotas_.end()) continue;
    for (size_t i = 0; i < amounts.size(); ++i) {
      const int64_t kept = quota->second.used[i] - amounts[i];
      if (amounts[i] > 0 && kept < quota->second.quota[i]) return false;
    }
  }
  return true;
}

void Victims::Charge(const RunningJob& job, const Amounts& amounts) {
  for (std::string_view role = job.job->role; !role.empty(); role = ParentRole(role)) {
    const auto quota = quotas_.find(role);
    if (quota != quotas_.end()) Add(quota->second.used, amounts);
  }
}

bool Victims::GoesWhole(size_t number, int ahead) const {
  const Candidate& candidate = candidates_[number];
  return candidate.team != 0 && teams_[candidate.team].spare <= ahead;
}

double Victims::Price(size_t number, size_t wanted, int ahead) const {
  const Candidate& candidate = candidates_[number];
  const Team& team = teams_[candidate.team];
  if (!GoesWhole(number, ahead)) {
    const bool allowed = QuotaAllows(*candidate.job, AmountsOf(candidate.task->resources));
    return allowed ? PriceAlone(candidate) : kNever;
  }
  const bool allowed = team.whole && QuotaAllows(*candidate.job, team.amounts);
  return allowed ? PriceTogether(team, wanted) : kNever;
}

double Victims::LeastPrice(size_t number, size_t wanted) const {
  const Candidate& candidate = candidates_[number];
  const Team& team = teams_[candidate.team];
  const double alone = GoesWhole(number, 0) ? kNever : PriceAlone(candidate);
  return team.whole ? std::min(alone, PriceTogether(team, wanted)) : alone;
}

double Victims::PriceAlone(const Candidate& candidate) const {
  return teams_[candidate.team].gang ? CostOf(*candidate.task, {}) : candidate.cost;
}

double Victims::PriceTogether(const Team& team, size_t wanted) {
  return team.cost / static_cast<double>(std::clamp<size_t>(wanted, 1, team.members.size()));
}

Victims::Departure Victims::Evict(size_t number) {
  const size_t index = candidates_[number].team;
  Team& team = teams_[index];
  Departure departure;
  if (!GoesWhole(number, 0)) {
    departure.candidates = {number};
    --team.spare;
  } else {
    for (const size_t member : team.members) {
      if (!candidates_[member].out) departure.candidates.push_back(member);
    }
    departure.whole = true;
    team.gone = true;
  }
  Move(departure, true);
  return departure;
}

bool Victims::Stay(const Departure& departure) {
  Team& team = teams_[candidates_[departure.candidates[0]].team];
  // One of a gang that goes cannot stay alone.
  if (!departure.whole && team.gone) return false;
  if (departure.whole) {
    team.gone = false;
  } else {
    ++team.spare;
  }
  Move(departure, false);
  return true;
}

void Victims::Move(const Departure& departure, bool out) {
  for (const size_t one : departure.candidates) {
    Candidate& candidate = candidates_[one];
    Team& team = teams_[candidate.team];
    candidate.out = out;
    const int sign = out ? -1 : 1;
    const Amounts amounts = Times(AmountsOf(candidate.task->resources), sign);
    Charge(*candidate.job, amounts);
    team.cost += sign * candidate.cost;
    Add(team.amounts, amounts);
  }
}

}  // namespace kiln::scheduler
