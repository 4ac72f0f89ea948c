// The pure part of the daemon's cycle: what is decided and explained between what has happened and
// what is to be remembered and done.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "scheduler/lifecycle/dry_run.h"
#include "scheduler/lifecycle/judgement.h"
#include "scheduler/lifecycle/lifecycle.h"
#include "scheduler/lifecycle/offer_book.h"
#include "scheduler/placement/policy.h"

namespace kiln::scheduler {

// To judge all that waits by all that is known costs time on a large cluster with a long queue.
// Where both are small it is done in every cycle. Else it begins when somebody asks or a job has
// come, but no sooner than after the first of these times, and at the latest after the second: to
// find work that fits what is known and not in hand. It goes on a part in each cycle (judgement.h),
// and while it does, a cycle follows the other at once.
inline constexpr Duration kReasonsAge = std::chrono::milliseconds(750);
inline constexpr Duration kJudgedAge = std::chrono::seconds(5);

// Joins the lifecycle, the offers and placement. Time comes in. Threads: one at a time. The policy
// and the book outlive it.
class Cycle {
 public:
  struct Outcome {
    Effects effects;     // to be written, and then to be done
    OfferCalls calls;    // to be made after them
    size_t evicted = 0;  // tasks that have to end for others
  };

  Cycle(const Policy& policy, OfferBook& book) : policy_(policy), book_(book) {}

  // One cycle. Nothing is launched, and no offer is answered, while there is no connection.
  Outcome Run(Lifecycle& lifecycle, bool connected, Instant now);
  // Why what waits does: of one job, or of all when it is empty. On a small cluster as of the last
  // cycle. On a large one as it was last judged: when that is older than kReasonsAge, a judgement
  // begins, and is told at once when one part is all of it.
  std::vector<Refusal> Why(const Lifecycle& lifecycle, const std::string& job, Instant now);
  // When a cycle has something to do though nothing else happens.
  std::optional<Instant> Next(Instant now) const;
  // The next part of a dry run; gives whether that was the last one.
  bool GoOn(DryRun& run, const Lifecycle& lifecycle, Instant now) const {
    return run.GoOn(lifecycle, book_, policy_, now);
  }
  // What has been given back so far. Before an offer is added: it has that already, and is the last
  // word of what the agent has free.
  void BookFreed(Lifecycle& lifecycle) {
    for (const Freed& freed : lifecycle.TakeFreed()) {
      book_.Freed(freed.agent, freed.role, freed.resources);
    }
  }
  // The lifecycle is another from here on.
  void Restart() { judging_.reset(); }

 private:
  std::set<std::string> FreeVolumes(Lifecycle& lifecycle, Instant now);
  Sight See(const Lifecycle& lifecycle, Instant now);
  Plan Decide(Lifecycle& lifecycle, Sight sight, Instant now);
  bool MayEvict(const Lifecycle& lifecycle, const WaitingJob& job, Limits& limits,
                Instant now) const;
  // Gives how many have to end.
  size_t Preempt(Lifecycle& lifecycle, bool busy, Instant now);
  void Charge(const Lifecycle& lifecycle, const Plan& plan, const std::vector<LaunchCall>& starts,
              Instant now);
  Instant JudgeNext(const Sight& sight) const;
  // At once.
  void Explain(const Lifecycle& lifecycle, Sight sight, Instant now);
  bool PutOff(const Plan& plan);
  // A part of it. Gives whether reasons are as of this moment.
  bool Judge(const Lifecycle& lifecycle, Instant now);
  void Tell(const Lifecycle& lifecycle, Plan wider, std::vector<Refusal> blocked, Instant judged);

  const Policy& policy_;
  OfferBook& book_;
  std::vector<Refusal> refusals_;  // of what fits nowhere
  std::vector<Refusal> blocked_;   // of what may not start, wherever
  Instant explained_;              // when they were judged
  Instant told_;                   // and when that was done
  std::unique_ptr<Judgement> judging_;
  std::unique_ptr<Judgement> judged_;  // before; freed a part in each cycle
  uint64_t changes_ = 0;               // of the book, as they were last seen
  Instant judge_next_;                 // when they are next, though nobody asks
  bool current_ = true;                // nothing has happened since
  bool connected_ = false;             // in the last cycle
  std::set<std::string> elsewhere_;    // roles of which work fits what is known and not in hand
  std::vector<WaitingJob> used_;       // of the last sight: its memory
  bool may_evict_ = false;             // something that waited has the right to
  std::map<std::string, Instant> found_nobody_;  // jobs that look for victims again then
  std::optional<Instant> preempt_next_;          // nobody looks before
};

}  // namespace kiln::scheduler
