#include "scheduler/lifecycle/reconciliation.h"

#include <algorithm>

namespace kiln::scheduler {

ReconcileCall Reconciliation::CallForAll() const {
  return {std::vector<std::pair<TaskId, AgentId>>(unanswered_.begin(), unanswered_.end())};
}

std::vector<ReconcileCall> Reconciliation::Begin(TasksAsked tasks, Instant now) {
  if (!running_) {
    running_ = true;
    first_round_ = true;
    first_ends_ = now + settings_.first_reconciliation;
  }
  unanswered_ = std::move(tasks);
  pause_ = settings_.reconcile_again_min;
  next_try_ = now + pause_;
  next_round_ = now + settings_.reconcile_all;
  std::vector<ReconcileCall> calls;
  if (!unanswered_.empty()) calls.push_back(CallForAll());
  calls.emplace_back();
  if (unanswered_.empty()) first_round_ = false;
  return calls;
}

void Reconciliation::End() {
  running_ = false;
  unanswered_.clear();
}

std::vector<ReconcileCall> Reconciliation::Ask(const TasksAsked& tasks, Instant now) {
  if (!running_ || tasks.empty()) return {};
  unanswered_.insert(tasks.begin(), tasks.end());
  pause_ = settings_.reconcile_again_min;
  next_try_ = now + pause_;
  return {{std::vector<std::pair<TaskId, AgentId>>(tasks.begin(), tasks.end())}};
}

void Reconciliation::Answered(const TaskId& task) {
  if (unanswered_.erase(task) > 0 && unanswered_.empty()) first_round_ = false;
}

bool Reconciliation::Settled(Instant now) const {
  return running_ && (!first_round_ || now >= first_ends_);
}

std::vector<ReconcileCall> Reconciliation::Tick(Instant now) {
  if (!running_ || unanswered_.empty() || now < next_try_) return {};
  pause_ = std::min(2 * pause_, settings_.reconcile_again_max);
  next_try_ = now + pause_;
  return {CallForAll()};
}

std::optional<Instant> Reconciliation::Next(Instant now) const {
  if (!running_) return std::nullopt;
  Instant next = next_round_;
  if (!unanswered_.empty()) next = std::min(next, next_try_);
  if (!Settled(now)) next = std::min(next, first_ends_);
  return next;
}

}  // namespace kiln::scheduler
