#include "scheduler/lifecycle/reconciliation.h"

#include <algorithm>

namespace kiln::scheduler {

// As many as a call may have.
ReconcileCall Reconciliation::CallForSome() const {
  ReconcileCall call;
  for (const auto& task : unanswered_) {
    if (call.tasks.size() == settings_.reconcile_portion) break;
    call.tasks.emplace_back(task.first, task.second.agent);
  }
  return call;
}

void Reconciliation::CheckFirst() {
  if (unanswered_.empty() && !more_) first_round_ = false;
}

std::vector<ReconcileCall> Reconciliation::Begin(TasksAsked tasks, bool more, Instant now) {
  of_the_start_ = !running_;
  if (!running_) {
    running_ = true;
    first_round_ = true;
    first_ends_ = now + settings_.first_reconciliation;
  }
  unanswered_.clear();
  next_round_ = now + settings_.reconcile_all;
  rest_ = true;
  return Continue(tasks, more, now);
}

std::vector<ReconcileCall> Reconciliation::Continue(const TasksAsked& tasks, bool more,
                                                    Instant now) {
  more_ = more;
  next_portion_ = now + settings_.reconcile_pause;
  std::vector<ReconcileCall> calls = Ask(tasks, of_the_start_, now);
  CheckFirst();
  return calls;
}

void Reconciliation::End() {
  running_ = false;
  more_ = false;
  unanswered_.clear();
}

std::vector<ReconcileCall> Reconciliation::Ask(const TasksAsked& tasks, Instant now) {
  return Ask(tasks, false, now);
}

std::vector<ReconcileCall> Reconciliation::Ask(const TasksAsked& tasks, bool first, Instant now) {
  if (!running_ || tasks.empty()) return {};
  for (const auto& [task, agent] : tasks) {
    unanswered_.emplace_hint(unanswered_.end(), task, Unanswered{agent, first});
  }
  pause_ = settings_.reconcile_again_min;
  next_try_ = now + pause_;
  return {{std::vector<std::pair<TaskId, AgentId>>(tasks.begin(), tasks.end())}};
}

bool Reconciliation::Answered(const TaskId& task) {
  const auto asked = unanswered_.find(task);
  if (asked == unanswered_.end()) return of_the_start_ && more_;
  const bool first = asked->second.first;
  unanswered_.erase(asked);
  CheckFirst();
  return first;
}

bool Reconciliation::Settled(Instant now) const {
  return running_ && (!first_round_ || now >= first_ends_);
}

std::vector<ReconcileCall> Reconciliation::Tick(Instant now) {
  std::vector<ReconcileCall> calls;
  if (!running_) return calls;
  if (rest_ && !more_ && Settled(now)) {
    rest_ = false;
    calls.emplace_back();
  }
  if (unanswered_.empty() || now < next_try_) return calls;
  pause_ = std::min(2 * pause_, settings_.reconcile_again_max);
  next_try_ = now + pause_;
  calls.push_back(CallForSome());
  return calls;
}

std::optional<Instant> Reconciliation::Next(Instant now) const {
  if (!running_) return std::nullopt;
  Instant next = next_round_;
  if (!unanswered_.empty()) next = std::min(next, next_try_);
  if (!Settled(now)) next = std::min(next, first_ends_);
  if (more_) next = std::min(next, next_portion_);
  return next;
}

}  // namespace kiln::scheduler
