// The pure part of the daemon's cycle: what is decided and explained between what has happened and
// what is to be remembered and done.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "scheduler/lifecycle/lifecycle.h"
#include "scheduler/lifecycle/offer_book.h"
#include "scheduler/placement/policy.h"

namespace kiln::scheduler {

// Joins the lifecycle, the offers and placement. Time comes in. Threads: one at a time. The policy
// and the book outlive it.
class Cycle {
 public:
  struct Outcome {
    Effects effects;   // to be written, and then to be done
    OfferCalls calls;  // to be made after them
  };

  Cycle(const Policy& policy, OfferBook& book) : policy_(policy), book_(book) {}

  // One cycle. Nothing is launched, and no offer is answered, while there is no connection.
  Outcome Run(Lifecycle& lifecycle, bool connected, Instant now);
  // Why what waits does, as of the last cycle.
  const std::vector<Refusal>& refusals() const { return refusals_; }
  // What would become of a job that has not been submitted, with all that agents have free.
  Plan DryRun(const Lifecycle& lifecycle, Job job, Instant now) const;

 private:
  Plan Decide(Lifecycle& lifecycle, Instant now);
  void Charge(const Lifecycle& lifecycle, const Plan& plan, const std::vector<LaunchCall>& starts,
              Instant now);
  OfferCalls Explain(const Lifecycle& lifecycle, bool connected, const Plan& plan, Instant now);
  Snapshot SnapshotOf(const Lifecycle& lifecycle, std::vector<Offer> offers, const Sight& sight,
                      Instant now) const;

  const Policy& policy_;
  OfferBook& book_;
  std::vector<Refusal> refusals_;
};

}  // namespace kiln::scheduler
