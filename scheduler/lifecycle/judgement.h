// Why what waits does, judged by all that agents are known to have free: a part in each cycle.
#pragma once

#include <memory>
#include <vector>

#include "scheduler/lifecycle/lifecycle.h"
#include "scheduler/lifecycle/offer_book.h"
#include "scheduler/placement/place.h"

namespace kiln::scheduler {

// So much is done in one cycle: about as many looks at agents, and copies of their offers. That is
// a few milliseconds, and a small cluster is judged at once.
inline constexpr size_t kLooksInACycle = 50'000;
inline constexpr size_t kCopiesInACycle = 5'000;
// Cycles that start something have enough to do: of so many in a row one goes on with it.
inline constexpr int kBusyCycles = 4;

// What a judgement stands on between cycles is its own, or held for it. Offers are of the cycles in
// which they were copied.
struct Judgement {
  explicit Judgement(Instant now) : began(now) {}

  const Instant began;
  bool outdated = false;  // something has happened since
  int busy = 0;           // cycles in a row that did not go on with it
  std::shared_ptr<const void> jobs;
  std::vector<Offer> offers;  // of those that are known, the first ones
  Outlook outlook;
  Sight sight;  // whose jobs are in the snapshot
  Snapshot snapshot;
  std::unique_ptr<Planning> planning;  // when all offers are there
};

}  // namespace kiln::scheduler
