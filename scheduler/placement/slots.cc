#include "scheduler/placement/slots.h"

#include <algorithm>
#include <bit>

#include "scheduler/placement/around.h"
#include "scheduler/placement/gpus.h"
#include "scheduler/placement/needs.h"
#include "scheduler/placement/rooms.h"

namespace kiln::scheduler {

bool AtLeast(const Amounts& have, const Amounts& need) {
  for (size_t i = 0; i < need.size(); ++i) {
    if (have[i] < need[i]) return false;
  }
  return true;
}

Slots::Slots(const Snapshot& snapshot, const WaitingJob& job, const Regions& regions, size_t region,
             Victims& victims)
    : snapshot_(snapshot), job_(job), regions_(regions), region_(region), victims_(victims) {
  for (const Claim& claim : snapshot.claims) kept_.insert(claim.agents.begin(), claim.agents.end());
  numbers_.reserve(snapshot_.offers.size());
  spots_.reserve(snapshot_.offers.size());
  for (const Offer& offer : snapshot_.offers) {
    if (offer.role != job_.role) continue;
    if (Spot* spot = SpotOf(offer.agent.id, &offer.agent)) spot->base += offer.resources;
  }
  for (const Task* task : victims_.Leaving()) {
    if (Spot* spot = SpotOf(task->agent, nullptr)) spot->base += task->resources;
  }
  const AgentId* last = nullptr;
  Spot* spot = nullptr;
  for (size_t i = 0; i < victims_.All().size(); ++i) {
    const AgentId& agent = victims_.All()[i].task->agent;
    if (last == nullptr || agent != *last) spot = SpotOf(agent, nullptr);
    last = &agent;
    if (spot != nullptr) spot->candidates.push_back(i);
  }
  for (const auto& [key, shares] : snapshot_.shared) {
    if (key.second != job_.role) continue;
    const auto number = numbers_.find(key.first);
    if (number == numbers_.end() || number->second == kNoSpot) continue;
    spots_[number->second].base += {.gpu_shares = shares};
  }
  for (Spot& one : spots_) one.free = one.base;
}

// Null for an agent that is of no use: barred, kept for others, or not known.
Spot* Slots::SpotOf(const AgentId& id, const Agent* agent) {
  const auto [number, is_new] = numbers_.try_emplace(id, spots_.size());
  if (!is_new) return number->second == kNoSpot ? nullptr : &spots_[number->second];
  if (agent == nullptr) agent = KnownAgent(snapshot_, id);
  const auto bar = snapshot_.bars.find(id);
  const bool barred = bar != snapshot_.bars.end();
  if (agent == nullptr || !regions_.Has(region_, id) || kept_.contains(id) ||
      (barred && !bar->second.reason.empty())) {
    number->second = kNoSpot;
    return nullptr;
  }
  if (barred) {
    copies_.push_back(WithoutBarred({.agent = *agent}, bar->second).agent);
    agent = &copies_.back();
  }
  spots_.push_back({.agent = agent});
  return &spots_.back();
}

void Slots::Evict(size_t candidate) {
  departures_.push_back(victims_.Evict(candidate));
  for (const size_t one : departures_.back().candidates) Move(one, true);
}

void Slots::UndoLast() {
  const Victims::Departure departure = std::move(departures_.back());
  departures_.pop_back();
  static_cast<void>(victims_.Stay(departure));  // who went last can stay
  for (const size_t one : departure.candidates) Move(one, false);
}

void Slots::Move(size_t candidate, bool out) {
  const Victims::Candidate& one = victims_.All()[candidate];
  const auto number = numbers_.find(one.task->agent);
  if (number == numbers_.end() || number->second == kNoSpot) return;
  Spot& spot = spots_[number->second];
  ++spot.version;
  touched_.push_back(number->second);
  if (out) {
    spot.free += one.task->resources;
  } else {
    spot.free -= one.task->resources;
  }
}

double Slots::Price(size_t candidate, int ahead) const {
  // A step only now and then, so that prices stay what they are.
  return victims_.Price(candidate, std::bit_floor(wanted_), ahead);
}

double Slots::Price(const Slot& slot) const {
  double price = 0;
  std::map<size_t, int> ahead;
  for (const size_t one : slot.victims) {
    const Victims::Candidate& candidate = victims_.All()[one];
    if (candidate.out) return Victims::kNever;
    price += Price(one, ahead[candidate.team]++);
  }
  return price;
}

bool Slots::NeedsExecutor(const Group& spec, const Spot& spot) const {
  return SharesExecutor(spec) && !SharesDevice(spec) && !spot.executor &&
         !IsWarm(snapshot_, PoolOf(job_, spec), spot.agent->id);
}

// What a member takes of `free`; nothing when it does not fit.
std::optional<Resources> Slots::Take(const Group& spec, const Spot& spot, Resources free) const {
  CloseDevices(free);
  Resources taken;
  if (NeedsExecutor(spec, spot)) taken += snapshot_.executor;
  if (!free.Contains(taken)) return std::nullopt;
  free -= taken;
  const auto own = Fit(spec, *spot.agent, free, 0, 0);
  if (!own) return std::nullopt;
  return taken += *own;
}

Amounts Slots::NeedOf(const Group& spec, const Spot& spot) const {
  Amounts need = AmountsOf(spec);
  if (NeedsExecutor(spec, spot)) Add(need, AmountsOf(snapshot_.executor));
  return need;
}

double Slots::LeastPrice(const Group& spec, size_t number) const {
  const Spot& spot = spots_[number];
  if (AtLeast(AmountsOf(spot.free), NeedOf(spec, spot))) return 0;
  double least = Victims::kNever;
  for (const size_t one : spot.candidates) {
    if (victims_.All()[one].out || excluded_.contains(one)) continue;
    least = std::min(least, victims_.LeastPrice(one, std::bit_floor(wanted_)));
  }
  return least;
}

std::vector<size_t> Slots::TakeTouched() {
  std::vector<size_t> touched = std::exchange(touched_, {});
  std::sort(touched.begin(), touched.end());
  touched.erase(std::unique(touched.begin(), touched.end()), touched.end());
  return touched;
}

Slot Slots::Find(const Group& spec, size_t number, bool exact) const {
  const Spot& spot = spots_[number];
  const Amounts need = NeedOf(spec, spot);
  const Enough enough = [&, exact](const Tray& tray) {
    return AtLeast(tray.amounts, need) && (!exact || Take(spec, spot, tray.resources));
  };
  const Tray tray{AmountsOf(spot.free), exact ? spot.free : Resources{}, exact};
  if (enough(tray)) return {0, {}};
  const std::vector<Part> parts = PartsOf(spot);
  Slot together = Together(spot, parts, tray, enough);
  if (together.victims.size() < 2) return together;
  for (const Part& part : parts) {
    if (part.price > together.price) break;
    Tray with = tray;
    Put(With(spot, part.candidate, 0, {}), with);
    if (enough(with)) return {part.price, {part.candidate}};
  }
  return together;
}

// Those on the agent who may go, the cheapest first; of equal ones the lowest priority.
std::vector<Slots::Part> Slots::PartsOf(const Spot& spot) const {
  std::vector<Part> parts;
  for (const size_t one : spot.candidates) {
    if (victims_.All()[one].out || excluded_.contains(one)) continue;
    const double price = Price(one, 0);
    if (price < Victims::kNever) parts.push_back({one, price, {}});
  }
  std::sort(parts.begin(), parts.end(), [this](const Part& a, const Part& b) {
    const Victims::Candidate& x = victims_.All()[a.candidate];
    const Victims::Candidate& y = victims_.All()[b.candidate];
    return std::tie(a.price, x.job->job->priority, x.task->id) <
           std::tie(b.price, y.job->job->priority, y.task->id);
  });
  return parts;
}

// Who leaves the agent with this one, when `ahead` of its team, `gone` among them, go before it.
std::vector<size_t> Slots::With(const Spot& spot, size_t candidate, int ahead,
                                const std::set<size_t>& gone) const {
  if (!victims_.GoesWhole(candidate, ahead)) return {candidate};
  std::vector<size_t> all;
  for (const size_t one : spot.candidates) {
    const Victims::Candidate& other = victims_.All()[one];
    const bool same = other.team == victims_.All()[candidate].team;
    if (same && !other.out && !gone.contains(one)) all.push_back(one);
  }
  return all;
}

void Slots::Put(const std::vector<size_t>& freed, Tray& tray) const {
  for (const size_t one : freed) {
    const Resources& resources = victims_.All()[one].task->resources;
    Add(tray.amounts, AmountsOf(resources));
    if (tray.exact) tray.resources += resources;
  }
}

void Slots::PutBack(const std::vector<size_t>& freed, Tray& tray) const {
  for (const size_t one : freed) {
    const Resources& resources = victims_.All()[one].task->resources;
    Subtract(tray.amounts, AmountsOf(resources));
    if (tray.exact) tray.resources -= resources;
  }
}

Slot Slots::Together(const Spot& spot, const std::vector<Part>& parts, Tray tray,
                     const Enough& enough) const {
  std::vector<Part> chosen;
  std::map<size_t, int> ahead;  // by team
  std::set<size_t> gone;
  bool fits = false;
  for (const Part& part : parts) {
    if (gone.contains(part.candidate)) continue;
    int& before = ahead[victims_.All()[part.candidate].team];
    const double price = Price(part.candidate, before);
    if (price == Victims::kNever) continue;
    chosen.push_back({part.candidate, price, With(spot, part.candidate, before, gone)});
    before += static_cast<int>(chosen.back().freed.size());
    gone.insert(chosen.back().freed.begin(), chosen.back().freed.end());
    Put(chosen.back().freed, tray);
    fits = enough(tray);
    if (fits) break;
  }
  if (!fits) return {};
  std::set<size_t> teams;  // of those that stay chosen
  Slot slot{0, {}};
  for (auto part = chosen.rbegin(); part != chosen.rend(); ++part) {
    const size_t team = victims_.All()[part->candidate].team;
    PutBack(part->freed, tray);
    // Who goes of a team depends on those before it.
    if (!(team != 0 && teams.contains(team)) && enough(tray)) continue;
    Put(part->freed, tray);
    teams.insert(team);
    slot.price += part->price;
    slot.victims.insert(slot.victims.begin(), part->candidate);
  }
  return slot;
}

bool Slots::Settle(const Group& spec, size_t number, const Slot& slot) {
  Spot& spot = spots_[number];
  const size_t before = departures_.size();
  bool possible = true;
  for (const size_t one : slot.victims) {
    if (victims_.All()[one].out) continue;
    possible = Price(one, 0) < Victims::kNever;
    if (!possible) {
      excluded_.insert(one);
      break;
    }
    Evict(one);
  }
  const auto taken = possible ? Take(spec, spot, spot.free) : std::nullopt;
  if (!taken) {
    while (departures_.size() > before) UndoLast();
    touched_.push_back(number);
    ++spot.version;
    return false;
  }
  CloseDevices(spot.free);
  OpenDevices(taken->gpu_shares, spot.free);
  spot.free -= *taken;
  spot.executor = true;
  spot.used = true;
  ++spot.version;
  touched_.push_back(number);
  return true;
}

Resources Slots::Freed(size_t number) const {
  Resources freed = spots_[number].base;
  for (const size_t one : spots_[number].candidates) {
    if (victims_.All()[one].out) freed += victims_.All()[one].task->resources;
  }
  CloseDevices(freed);
  return freed;
}

}  // namespace kiln::scheduler
