// Asking the master for the state of tasks until it has answered for each of them.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "base/time.h"
#include "scheduler/lifecycle/effects.h"
#include "scheduler/lifecycle/settings.h"

namespace kiln::scheduler {

// By task, the agent it is on.
using TasksAsked = std::map<TaskId, AgentId>;

class Reconciliation {
 public:
  explicit Reconciliation(const Settings& settings) : settings_(settings) {}

  // A subscription began, or a round is due. With `more`, others follow by Continue. When all are
  // asked for, and those of the first round have answered, the master is asked for whatever else it
  // has.
  std::vector<ReconcileCall> Begin(TasksAsked tasks, bool more, Instant now);
  bool ContinueDue(Instant now) const { return running_ && more_ && now >= next_portion_; }
  std::vector<ReconcileCall> Continue(const TasksAsked& tasks, bool more, Instant now);
  // The subscription ended.
  void End();
  // These too.
  std::vector<ReconcileCall> Ask(const TasksAsked& tasks, Instant now);
  // An update came for it, or it needs none any more. Gives whether it is the first word of a task
  // since the subscription.
  bool Answered(const TaskId& task);
  bool Running() const { return running_; }
  // The first round since Begin is answered, or has been waited for long enough.
  bool Settled(Instant now) const;
  // All tasks are to be asked for again.
  bool RoundDue(Instant now) const { return running_ && now >= next_round_; }
  std::vector<ReconcileCall> Tick(Instant now);
  std::optional<Instant> Next(Instant now) const;

 private:
  struct Unanswered {
    AgentId agent;
    bool first;  // nothing has been heard of it since the subscription
  };

  ReconcileCall CallForSome() const;
  std::vector<ReconcileCall> Ask(const TasksAsked& tasks, bool first, Instant now);
  void CheckFirst();

  const Settings& settings_;
  bool running_ = false;
  bool first_round_ = false;   // and not all of it is answered
  bool of_the_start_ = false;  // the round is the first
  Instant first_ends_;
  bool more_ = false;  // the round goes on
  bool rest_ = false;  // what nobody asked for is to be asked for
  Instant next_portion_;
  std::map<TaskId, Unanswered> unanswered_;
  Duration pause_{};
  Instant next_try_;
  Instant next_round_;
};

}  // namespace kiln::scheduler
