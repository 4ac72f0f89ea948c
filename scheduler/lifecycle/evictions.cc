// Tasks that end so that others can start.
#include <algorithm>

#include "scheduler/lifecycle/lifecycle.h"
#include "scheduler/placement/moves.h"

namespace kiln::scheduler {
namespace {

std::string ReasonOf(const Job& preemptor, const Job& victim, bool moves) {
  if (moves) return fmt::format("job {}, which fits when this has moved", preemptor.name);
  if (preemptor.role == victim.role) {
    return fmt::format("job {} of priority {}", preemptor.name, preemptor.priority);
  }
  return fmt::format("job {} of role {}, which has less than its quota", preemptor.name,
                     preemptor.role);
}

std::string TasksText(size_t count) {
  return count == 1 ? "1 task" : fmt::format("{} tasks", count);
}

}  // namespace

std::vector<Claim> Lifecycle::Claims() const {
  std::vector<Claim> claims;
  for (const std::string& job : claimants_) claims.push_back(*state_.jobs.at(job).claim);
  return claims;
}

bool Lifecycle::MayEvictAgain(const std::string& job, Instant now) const {
  const JobRecord& record = state_.jobs.at(job);
  if (record.claim) return false;
  const auto lately =
      std::count_if(record.evicted.begin(), record.evicted.end(),
                    [&](const Instant& at) { return now - at < settings_.preemption.window; });
  return lately < settings_.preemption.evictions_max;
}

void Lifecycle::Evict(const Eviction& eviction, Instant now) {
  JobRecord& record = state_.jobs.at(eviction.job);
  const bool moves = !eviction.moves.empty();
  std::map<std::string, std::pair<size_t, std::string>> victims;  // by job
  Duration grace{};
  for (const TaskId& id : eviction.victims) {
    Task& task = state_.tasks.at(id);
    const Job& job = RecordOf(task)->job;
    const Group* group = FindGroup(job, task.member.group);
    if (group != nullptr) grace = std::max(grace, group->kill_grace);
    if (const auto [run, member] = Find(task.member); member != nullptr && member->live == &task) {
      ++run->leaving;
    }
    task.preempted_by = ReasonOf(record.job, job, moves);
    task.message = "preempted by " + task.preempted_by;
    WantKill(task, now);
    Touch(task);
    effects_.notices.push_back({"task", id.text, TaskStateName(task.state), task.message});
    auto& [count, by] = victims[job.name];
    ++count;
    by = task.preempted_by;
  }
  for (const auto& [job, victim] : victims) {
    effects_.notices.push_back(
        {"job", job, JobPhaseName(state_.jobs.at(job).phase),
         fmt::format("{} preempted by {}", TasksText(victim.first), victim.second)});
  }
  effects_.notices.push_back(
      {"job", eviction.job, JobPhaseName(record.phase),
       fmt::format("{} {} of {}", moves ? "moves" : "preempts", TasksText(eviction.victims.size()),
                   victims.size() == 1 ? "job " + victims.begin()->first
                                       : fmt::format("{} jobs", victims.size()))});
  std::erase_if(record.evicted,
                [&](const Instant& at) { return now - at >= settings_.preemption.window; });
  record.evicted.push_back(now);
  for (Claim& claim : ClaimsOf(eviction, now + grace + settings_.preemption.claim)) {
    JobRecord& claimant = state_.jobs.at(claim.job);
    claimants_.insert(claim.job);
    claimant.claim = std::move(claim);
    TouchJob(claimant);
  }
}

void Lifecycle::DropClaim(JobRecord& record) {
  if (claimants_.erase(record.job.name) == 0) return;
  record.claim.reset();
  TouchJob(record);
}

// One of its members has started.
void Lifecycle::UseClaim(JobRecord& record) {
  if (!record.claim) return;
  TouchJob(record);
  if (--record.claim->members == 0) DropClaim(record);
}

void Lifecycle::TickClaims(Instant now) {
  const std::set<std::string> claimants = claimants_;
  for (const std::string& job : claimants) {
    JobRecord& record = state_.jobs.at(job);
    if (record.claim->until <= now) DropClaim(record);
  }
}

void Lifecycle::Evicted(const Task& task, GroupRun& group, Member& member) {
  --group.leaving;
  ++member.evictions;
  evicted_[{task.member.job, task.member.group}] = task.id;
}

// The member that was evicted last of its group starts again.
void Lifecycle::ComesBack(const MemberId& member) {
  if (evicted_.empty()) return;
  const auto evicted = evicted_.find({member.job, member.group});
  if (evicted == evicted_.end() || state_.tasks.at(evicted->second).member != member) return;
  evicted_.erase(evicted);
}

std::string Lifecycle::EvictionWords(const std::string& job, const std::string& group) const {
  if (evicted_.empty()) return {};
  const auto task = evicted_.find({job, group});
  if (task == evicted_.end()) return {};
  return "preempted by " + state_.tasks.at(task->second).preempted_by;
}

}  // namespace kiln::scheduler
