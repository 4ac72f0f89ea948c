#include "scheduler/lifecycle/offer_book.h"

#include <algorithm>

namespace kiln::scheduler {

void OfferBook::Clear(Instant now) {
  hand_.clear();
  holder_.clear();
  for (const std::string& role : roles_) {
    if (!suppressed_.contains(role)) wanted_[role] = now;
  }
  answered_ = true;
}

void OfferBook::Add(Offer offer) {
  // A device that the inventory leaves out is a device all the same.
  for (const GpuId& id : offer.resources.gpu_ids) {
    const bool listed = std::any_of(offer.agent.gpus.begin(), offer.agent.gpus.end(),
                                    [&](const Gpu& gpu) { return gpu.id == id; });
    if (!listed) offer.agent.gpus.push_back({.id = id});
  }
  answered_ = true;
  Entry& entry = known_[{offer.agent.id, offer.role}];
  Resources free = offer.resources;
  for (const auto& [id, other] : hand_) {
    if (other.agent.id == offer.agent.id && other.role == offer.role) free += other.resources;
  }
  entry.offer = offer;
  entry.offer.id = {};
  entry.offer.resources = std::move(free);
  entry.seen = offer.received;
  hand_.insert_or_assign(offer.id, std::move(offer));
}

void OfferBook::Rescind(const OfferId& offer) {
  const auto found = hand_.find(offer);
  if (found == hand_.end()) return;
  const auto entry = known_.find({found->second.agent.id, found->second.role});
  if (entry != known_.end()) entry->second.offer.resources = {};
  hand_.erase(found);
}

void OfferBook::DropAgent(const AgentId& agent) {
  std::erase_if(hand_, [&](const auto& offer) { return offer.second.agent.id == agent; });
  std::erase_if(known_, [&](const auto& entry) { return entry.first.first == agent; });
}

void OfferBook::Freed(const AgentId& agent, const std::string& role, const Resources& resources) {
  const auto entry = known_.find({agent, role});
  if (entry != known_.end()) entry->second.offer.resources += resources;
}

std::vector<Offer> OfferBook::Hand() const {
  std::vector<Offer> offers;
  for (const auto& [id, offer] : hand_) offers.push_back(offer);
  return offers;
}

std::vector<Offer> OfferBook::Known() const {
  std::vector<Offer> offers;
  for (const auto& [key, entry] : known_) offers.push_back(entry.offer);
  return offers;
}

Amounts OfferBook::Free() const {
  Amounts free{};
  for (const auto& [key, entry] : known_) kiln::Add(free, AmountsOf(entry.offer.resources));
  return free;
}

bool OfferBook::MayHold(const std::string& job, Instant now) const {
  if (job == holder_) return now < hold_ends_;
  const auto rest = rests_.find(job);
  return rest == rests_.end() || rest->second <= now;
}

OfferCalls OfferBook::Settle(const Plan& plan, const std::set<std::string>& wanted,
                             const std::set<std::string>& elsewhere, Instant now) {
  OfferCalls calls;
  for (const std::string& role : wanted) wanted_[role] = now;
  UpdateHold(plan, now);
  Decline(plan, wanted, now, calls);
  Revive(wanted, elsewhere, now, calls);
  return calls;
}

void OfferBook::Spend(const Plan& plan, const std::map<AgentRole, Resources>& charged,
                      Instant now) {
  std::set<AgentRole> keys;
  for (const Launch& launch : plan.launches) {
    for (const OfferId& id : launch.offers) {
      const auto offer = hand_.find(id);
      if (offer == hand_.end()) continue;
      keys.emplace(offer->second.agent.id, offer->second.role);
      hand_.erase(offer);
    }
  }
  for (const AgentRole& key : keys) {
    const auto taken = charged.find(key);
    Entry& entry = known_.at(key);
    if (taken != charged.end() && entry.offer.resources.Contains(taken->second)) {
      entry.offer.resources -= taken->second;
    } else {
      entry.offer.resources = {};
    }
    entry.seen = now;
  }
}

void OfferBook::UpdateHold(const Plan& plan, Instant now) {
  std::erase_if(rests_, [now](const auto& rest) { return rest.second <= now; });
  if (plan.holder == holder_) return;
  // Held to the end without success: others have their turn first.
  if (!holder_.empty() && now >= hold_ends_) rests_[holder_] = now + settings_.hold;
  holder_ = plan.holder;
  hold_ends_ = now + settings_.hold;
}

// An offer without use goes back at once when work of its role waits for something else, and after
// a while when it is kept for work to come.
void OfferBook::Decline(const Plan& plan, const std::set<std::string>& wanted, Instant now,
                        OfferCalls& calls) {
  const std::set<OfferId> held(plan.held.begin(), plan.held.end());
  const bool gang =
      std::any_of(plan.refusals.begin(), plan.refusals.end(),
                  [](const Refusal& refusal) {
                    return refusal.blocker == Blocker::kGang ||
                           refusal.blocker == Blocker::kTopology;
                  });
  const bool refused = !plan.refusals.empty();
  DeclineCall decline{{}, gang ? settings_.refuse_gang : settings_.refuse};
  for (auto offer = hand_.begin(); offer != hand_.end();) {
    const bool due = now - offer->second.received >= settings_.keep_idle;
    const bool useless = refused && wanted.contains(offer->second.role);
    if (held.contains(offer->first) || (!due && !useless)) {
      ++offer;
      continue;
    }
    decline.offers.push_back(offer->first);
    offer = hand_.erase(offer);
  }
  if (!decline.offers.empty()) calls.declines.push_back(std::move(decline));
  for (const std::string& role : roles_) {
    if (suppressed_.contains(role) || now - wanted_[role] < settings_.keep_idle) continue;
    const bool in_hand = std::any_of(hand_.begin(), hand_.end(),
                                     [&](const auto& offer) { return offer.second.role == role; });
    if (in_hand) continue;
    suppressed_.insert(role);
    calls.suppress.push_back(role);
  }
}

void OfferBook::Revive(const std::set<std::string>& wanted, const std::set<std::string>& elsewhere,
                       Instant now, OfferCalls& calls) {
  if (!revived_roles_.empty() && now - revived_ >= settings_.revive_answer) {
    // Whoever had something free has offered it by then.
    for (auto& [key, entry] : known_) {
      if (entry.seen < revived_ && revived_roles_.contains(key.second)) entry.offer.resources = {};
    }
    revived_roles_.clear();
  }
  std::set<std::string> roles = elsewhere;
  for (const std::string& role : wanted) {
    if (suppressed_.contains(role)) roles.insert(role);
  }
  revive_later_ = !roles.empty() && now < ReviveDue();
  if (roles.empty() || revive_later_) return;
  calls.revive.assign(roles.begin(), roles.end());
  for (const std::string& role : roles) suppressed_.erase(role);
  revive_pause_ = answered_ ? Duration(std::chrono::seconds(1))
                            : std::min(2 * revive_pause_, settings_.revive_max);
  revived_ = now;
  revived_roles_.insert(roles.begin(), roles.end());
  answered_ = false;
}

Instant OfferBook::ReviveDue() const {
  return revived_ + (answered_ ? settings_.revive_min : revive_pause_);
}

std::optional<Instant> OfferBook::Next(Instant now) const {
  std::optional<Instant> next;
  const auto earlier = [&next, now](Instant instant) {
    if (instant > now && (!next || instant < *next)) next = instant;
  };
  for (const auto& [id, offer] : hand_) earlier(offer.received + settings_.keep_idle);
  for (const auto& [role, last] : wanted_) {
    if (!suppressed_.contains(role)) earlier(last + settings_.keep_idle);
  }
  if (!holder_.empty()) earlier(hold_ends_);
  for (const auto& [job, until] : rests_) earlier(until);
  if (revive_later_) earlier(ReviveDue());
  if (!revived_roles_.empty()) earlier(revived_ + settings_.revive_answer);
  return next;
}

}  // namespace kiln::scheduler
