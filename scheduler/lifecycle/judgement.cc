#include "scheduler/lifecycle/judgement.h"

#include <algorithm>

#include "scheduler/placement/turns.h"

namespace kiln::scheduler {
namespace {

constexpr size_t kEstimates = 64;  // groups of a role that are told when they start

// Those on agents that offer.
SharedDevices SharedIn(const std::vector<Offer>& offers, const SharedDevices& all) {
  if (offers.size() > all.size()) return all;
  SharedDevices shared;
  for (const Offer& offer : offers) {
    const auto found = all.find({offer.agent.id, offer.role});
    if (found != all.end()) shared.insert(*found);
  }
  return shared;
}

}  // namespace

bool Judgement::Free() {
  planning.reset();
  std::vector<Offer>& left = snapshot.offers;
  left.resize(left.size() - std::min(left.size(), kCopiesInACycle));
  return left.empty();
}

bool IsSmall(const OfferBook& book, const Sight& sight) {
  return book.KnownSize() + sight.jobs.size() <= kSmallCluster;
}

Outlook DetailedOutlook(const Lifecycle& lifecycle, Instant now) {
  Outlook outlook = lifecycle.OutlookAt(now);
  outlook.estimates = kEstimates;
  outlook.details = true;
  return outlook;
}

Snapshot SnapshotOf(const Lifecycle& lifecycle, const OfferBook& book, std::vector<Offer> offers,
                    std::vector<WaitingJob> jobs,
                    std::vector<std::pair<const Group*, size_t>> usual, const Outlook& outlook) {
  const Instant now = outlook.now;
  Bars bars = lifecycle.BarsFor(offers);
  SharedDevices shared = SharedIn(offers, lifecycle.FreeShares());
  Snapshot snapshot{.offers = std::move(offers),
                    .jobs = std::move(jobs),
                    .sharing = lifecycle.SharingAt(now, book.Free()),
                    .agents = &lifecycle.state().agents,
                    .levels = lifecycle.settings().topology,
                    .warm = &lifecycle.Warm(),
                    .shared = std::move(shared),
                    .bars = std::move(bars),
                    .claims = lifecycle.Claims(),
                    .usual = std::move(usual),
                    .outlook = &outlook,
                    .executor = lifecycle.settings().executor,
                    .seed = static_cast<uint64_t>(now.nanoseconds)};
  for (WaitingJob& job : snapshot.jobs) {
    job.may_hold = job.may_hold && book.MayHold(job.job->name, now);
  }
  PutInOrder(snapshot);
  return snapshot;
}

}  // namespace kiln::scheduler
