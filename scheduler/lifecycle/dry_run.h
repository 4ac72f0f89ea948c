// What would become of a job that is not submitted.
#pragma once

#include <memory>
#include <vector>

#include "scheduler/lifecycle/judgement.h"

namespace kiln::scheduler {

// As if it was submitted at this moment, with all that agents have free: among those that wait on a
// small cluster, as if nothing else waited on a large one.
// Threads: one at a time. The book and the policy outlive it.
class DryRun {
 public:
  explicit DryRun(Job submitted) : job_(ExpandGroups(std::move(submitted))) {}
  DryRun(const DryRun&) = delete;
  DryRun& operator=(const DryRun&) = delete;

  // A part of it; gives whether that was the last one. On a small cluster it is the only one.
  bool GoOn(const Lifecycle& lifecycle, const OfferBook& book, const Policy& policy, Instant now);
  // When all parts are done.
  Plan Take();
  // Frees a part of what it stood on, when it is over; gives whether that was the last one.
  bool Free() { return judging_ == nullptr || judging_->Free(); }
  // The lifecycle is another from here on.
  void Restart() { judging_.reset(); }

 private:
  WaitingJob Waiting(const Lifecycle& lifecycle, Instant now);
  void Begin(const Lifecycle& lifecycle, const OfferBook& book, const Policy& policy, Instant now);

  const Job job_;
  std::unique_ptr<Judgement> judging_;
  bool queued_ = false;           // it stands among those that wait
  std::vector<Refusal> blocked_;  // groups that do not start with the others
};

}  // namespace kiln::scheduler
