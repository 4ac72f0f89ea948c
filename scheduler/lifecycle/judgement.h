// What is judged by all that agents are known to have free: why what waits does, and what would
// become of a job that is not submitted. On a large cluster that goes a part at a time.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "scheduler/lifecycle/lifecycle.h"
#include "scheduler/lifecycle/offer_book.h"
#include "scheduler/placement/place.h"

namespace kiln::scheduler {

inline constexpr size_t kSmallCluster = 2'000;  // agents and jobs that wait, together

// So much is done in one part: about as many looks at agents, or copies of their offers. That is a
// few milliseconds, and where all offers are copied in one part, that part goes on.
inline constexpr size_t kLooksInACycle = 60'000;
inline constexpr size_t kCopiesInACycle = 5'000;
// Cycles that start something have enough to do: of so many in a row one goes on with it.
inline constexpr int kBusyCycles = 2;

// What a judgement stands on between its parts is its own, or held for it. Offers are of the parts
// in which they were copied.
struct Judgement {
  explicit Judgement(Instant now) : began(now) {}

  const Instant began;
  bool outdated = false;  // something has happened since
  int busy = 0;           // cycles in a row that did not go on with it
  std::shared_ptr<const void> jobs;
  std::vector<Offer> offers;   // of those that are known, the first ones
  bool copied = false;         // all of them
  std::optional<Sight> sight;  // then; its jobs go into the snapshot
  Outlook outlook;
  Snapshot snapshot;
  std::unique_ptr<Planning> planning;  // at last

  // Frees a part of what it stood on, when it is over; gives whether that was the last one.
  bool Free();
};

// When what a refusal tells of has no end that anybody knows.
inline constexpr const char* kNotWhile = "none while this lasts";

bool IsSmall(const OfferBook& book, const Sight& sight);
// For answers to people.
Outlook DetailedOutlook(const Lifecycle& lifecycle, Instant now);
// The outlook outlives it.
Snapshot SnapshotOf(const Lifecycle& lifecycle, const OfferBook& book, std::vector<Offer> offers,
                    std::vector<WaitingJob> jobs,
                    std::vector<std::pair<const Group*, size_t>> usual, const Outlook& outlook);

}  // namespace kiln::scheduler
