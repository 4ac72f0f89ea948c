#include "scheduler/lifecycle/offer_book.h"

#include <algorithm>
#include <unordered_map>

namespace kiln::scheduler {
namespace {

// The offers of all entries, in their order.
std::vector<Offer> Lend(auto& entries) {
  std::vector<Offer> offers;
  offers.reserve(entries.size());
  for (auto& [key, entry] : entries) offers.push_back(std::move(entry.offer));
  return offers;
}

void Return(std::vector<Offer> offers, auto& entries) {
  auto next = offers.begin();
  for (auto& [key, entry] : entries) entry.offer = std::move(*next++);
}

}  // namespace

void OfferBook::Clear(Instant now) {
  hand_.clear();
  with_volumes_.clear();
  for (auto& [key, entry] : known_) entry.in_hand.clear();
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
  if (const auto same = hand_.find(offer.id); same != hand_.end()) Drop(same);
  Entry& entry = known_[{offer.agent.id, offer.role}];
  Resources free = offer.resources;
  for (const OfferId& other : entry.in_hand) free += hand_.at(other).offer.resources;
  SetFree(entry, std::move(free));
  if (entry.offer.agent != offer.agent) entry.offer.agent = offer.agent;
  entry.offer.role = offer.role;
  entry.offer.received = entry.seen = offer.received;
  entry.in_hand.push_back(offer.id);
  const OfferId id = offer.id;
  if (!offer.volumes.empty()) with_volumes_.insert(id);
  hand_.emplace(id, Held{std::move(offer), &entry});
}

OfferBook::InHand::iterator OfferBook::Drop(InHand::iterator offer) {
  std::erase(offer->second.entry->in_hand, offer->first);
  with_volumes_.erase(offer->first);
  return hand_.erase(offer);
}

void OfferBook::SetFree(Entry& entry, Resources free) {
  ++changes_;
  kiln::Subtract(free_, AmountsOf(entry.offer.resources));
  entry.offer.resources = std::move(free);
  kiln::Add(free_, AmountsOf(entry.offer.resources));
}

void OfferBook::Rescind(const OfferId& offer) {
  const auto found = hand_.find(offer);
  if (found == hand_.end()) return;
  SetFree(*found->second.entry, {});
  Drop(found);
}

void OfferBook::DropAgent(const AgentId& agent) {
  auto entry = known_.lower_bound({agent, ""});
  while (entry != known_.end() && entry->first.first == agent) {
    for (const OfferId& offer : entry->second.in_hand) {
      hand_.erase(offer);
      with_volumes_.erase(offer);
    }
    SetFree(entry->second, {});
    entry = known_.erase(entry);
  }
}

void OfferBook::Freed(const AgentId& agent, const std::string& role, const Resources& resources) {
  const auto entry = known_.find({agent, role});
  if (entry == known_.end()) return;
  Resources free = entry->second.offer.resources;
  free += resources;
  SetFree(entry->second, std::move(free));
}

std::vector<Offer> OfferBook::Known() const {
  std::vector<Offer> offers;
  for (const auto& [key, entry] : known_) offers.push_back(entry.offer);
  return offers;
}

std::set<AgentId> OfferBook::KnownAgents() const {
  std::set<AgentId> agents;
  for (const auto& [key, entry] : known_) agents.insert(agents.end(), key.first);
  return agents;
}

bool OfferBook::CopyKnown(size_t count, std::vector<Offer>& copied) const {
  auto entry = copied.empty() ? known_.begin()
                              : known_.upper_bound({copied.back().agent.id, copied.back().role});
  for (; entry != known_.end() && count > 0; ++entry, --count) {
    copied.push_back(entry->second.offer);
  }
  return entry == known_.end();
}

const Offer* OfferBook::KnownOf(const AgentId& agent, const std::string& role) const {
  const auto entry = known_.find({agent, role});
  return entry == known_.end() ? nullptr : &entry->second.offer;
}

std::vector<Offer> OfferBook::LendKnown() { return Lend(known_); }

void OfferBook::TakeBack(std::vector<Offer> known) { Return(std::move(known), known_); }

std::vector<Offer> OfferBook::LendHand() { return Lend(hand_); }

void OfferBook::TakeBackHand(std::vector<Offer> hand) { Return(std::move(hand), hand_); }

std::vector<Offer> OfferBook::HandWithVolumes() const {
  std::vector<Offer> offers;
  for (const OfferId& id : with_volumes_) offers.push_back(hand_.at(id).offer);
  return offers;
}

bool OfferBook::MayHold(const std::string& job, Instant now) const {
  if (holder_.empty() && rests_.empty()) return true;
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

void OfferBook::Spend(const std::vector<Charge>& charges, Instant now) {
  if (!charges.empty()) useless_pause_ = settings_.revive_min;
  std::unordered_map<Entry*, Resources> sums;
  for (const Charge& charge : charges) {
    const auto offer = std::find_if(charge.offers->begin(), charge.offers->end(),
                                    [this](const OfferId& id) { return hand_.contains(id); });
    if (offer != charge.offers->end()) sums[hand_.at(*offer).entry] += charge.resources;
  }
  for (const Charge& charge : charges) {
    for (const OfferId& id : *charge.offers) {
      const auto offer = hand_.find(id);
      if (offer != hand_.end()) Drop(offer);
    }
  }
  for (const auto& [entry, taken] : sums) {
    Resources left = std::move(entry->offer.resources);
    kiln::Subtract(free_, AmountsOf(left));
    if (left.Contains(taken)) {
      left -= taken;
    } else {
      left = {};
    }
    entry->offer.resources = {};
    SetFree(*entry, std::move(left));
    entry->seen = now;
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
      std::any_of(plan.refusals.begin(), plan.refusals.end(), [](const Refusal& refusal) {
        return refusal.blocker == Blocker::kGang || refusal.blocker == Blocker::kTopology;
      });
  const bool refused = !plan.refusals.empty();
  DeclineCall decline{{}, gang ? settings_.refuse_gang : settings_.refuse};
  for (auto offer = hand_.begin(); offer != hand_.end();) {
    const bool due = now - offer->second.offer.received >= settings_.keep_idle;
    const bool useless = refused && wanted.contains(offer->second.offer.role);
    if (held.contains(offer->first) || (!due && !useless)) {
      ++offer;
      continue;
    }
    decline.offers.push_back(offer->first);
    offer->second.entry->seen = now;
    offer = Drop(offer);
  }
  if (!decline.offers.empty()) calls.declines.push_back(std::move(decline));
  for (const std::string& role : roles_) {
    if (suppressed_.contains(role) || now - wanted_[role] < settings_.keep_idle) continue;
    const bool in_hand = std::any_of(
        hand_.begin(), hand_.end(), [&](const auto& one) { return one.second.offer.role == role; });
    if (in_hand) continue;
    suppressed_.insert(role);
    calls.suppress.push_back(role);
  }
}

void OfferBook::Revive(const std::set<std::string>& wanted, const std::set<std::string>& elsewhere,
                       Instant now, OfferCalls& calls) {
  std::erase_if(asked_, [&](const auto& asked) {
    if (now - asked.second < settings_.revive_answer) return false;
    // Whoever had something free has offered it by then, whatever others have offered since.
    for (auto& [key, entry] : known_) {
      const bool silent = entry.seen <= asked.second && entry.in_hand.empty();
      if (silent && key.second == asked.first) SetFree(entry, {});
    }
    return true;
  });
  // One role that the framework has not, as that of a volume of an earlier life may be, would void
  // the call for all.
  std::set<std::string> roles;
  for (const std::string& role : roles_) {
    const bool returns = suppressed_.contains(role) && wanted.contains(role);
    const bool forgotten = ask_for_all_ && !suppressed_.contains(role);
    if (returns || forgotten || elsewhere.contains(role)) roles.insert(role);
  }
  revive_later_ = !roles.empty() && now < ReviveDue();
  if (roles.empty() || revive_later_) return;
  calls.revive.assign(roles.begin(), roles.end());
  for (const std::string& role : roles) suppressed_.erase(role);
  ask_for_all_ = false;
  constexpr Duration kSecond = std::chrono::seconds(1);
  const bool calm = now - revived_ >= settings_.revive_answer;
  useless_pause_ = calm ? settings_.revive_min : std::min(2 * useless_pause_, kSecond);
  revive_pause_ = answered_ ? kSecond : std::min(2 * revive_pause_, settings_.revive_max);
  revived_ = now;
  for (const std::string& role : roles) asked_.emplace(role, now);
  answered_ = false;
}

Instant OfferBook::ReviveDue() const {
  return revived_ + (answered_ ? useless_pause_ : revive_pause_);
}

std::optional<Instant> OfferBook::Next(Instant now) const {
  std::optional<Instant> next;
  const auto earlier = [&next, now](Instant instant) {
    if (instant > now && (!next || instant < *next)) next = instant;
  };
  for (const auto& [id, held] : hand_) earlier(held.offer.received + settings_.keep_idle);
  for (const auto& [role, last] : wanted_) {
    if (!suppressed_.contains(role)) earlier(last + settings_.keep_idle);
  }
  if (!holder_.empty()) earlier(hold_ends_);
  for (const auto& [job, until] : rests_) earlier(until);
  if (revive_later_) earlier(ReviveDue());
  for (const auto& [role, since] : asked_) earlier(since + settings_.revive_answer);
  return next;
}

}  // namespace kiln::scheduler
