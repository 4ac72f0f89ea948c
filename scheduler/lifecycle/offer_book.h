// Which offers are in hand, what agents had free when they last offered, and how offers that nobody
// uses are answered.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/indexed_map.h"
#include "base/time.h"
#include "model/offer.h"
#include "model/role.h"
#include "scheduler/placement/plan.h"

namespace kiln::scheduler {

struct OfferSettings {
  Duration hold = std::chrono::seconds(30);        // for one gang, at most; then a pause as long
  Duration keep_idle = std::chrono::seconds(5);    // offers stay in hand after the last work
  Duration refuse = std::chrono::seconds(300);     // declined offers stay away
  Duration refuse_gang = std::chrono::seconds(5);  // while a gang waits for more of them
  // Between two REVIVEs that brought offers; more each time that none of those was of use, up to
  // a second.
  Duration revive_min = std::chrono::milliseconds(5);
  Duration revive_max = std::chrono::seconds(30);    // between two that brought none
  Duration revive_answer = std::chrono::seconds(2);  // after a REVIVE, silence means none free
};

using AgentRole = std::pair<AgentId, std::string>;
struct HashOfAgentRole {
  size_t operator()(const AgentRole& key) const {
    return std::hash<AgentId>()(key.first) * 31 + std::hash<std::string>()(key.second);
  }
};

struct DeclineCall {
  std::vector<OfferId> offers;
  Duration refuse{};

  bool operator==(const DeclineCall&) const = default;
};

struct OfferCalls {
  std::vector<DeclineCall> declines;
  std::vector<std::string> suppress;  // roles
  std::vector<std::string> revive;    // roles

  bool operator==(const OfferCalls&) const = default;
};

// Pure: time comes in. Threads: one at a time.
class OfferBook {
 public:
  OfferBook(OfferSettings settings, std::vector<std::string> roles)
      : settings_(settings), roles_(std::move(roles)) {}

  // A subscription began: all offers are void; the master takes `suppressed` from the subscription.
  void Clear(Instant now);
  // A former life may have declined what is free, and the master keeps to that while it takes the
  // two for one. Offers tell of executors, too.
  void AskForAll() { ask_for_all_ = true; }
  void Add(Offer offer);
  void Rescind(const OfferId& offer);
  void DropAgent(const AgentId& agent);
  // Resources that a task gave back: the agent has more free than it last offered.
  void Freed(const AgentId& agent, const std::string& role, const Resources& resources);

  // One offer for each agent and role with all that it has free, in hand or not, as far as is
  // known.
  std::vector<Offer> Known() const;
  // Copies up to so many more of them behind those that it has copied before; gives whether these
  // are all.
  bool CopyKnown(size_t count, std::vector<Offer>& copied) const;
  // Counts the changes of what is known.
  uint64_t changes() const { return changes_; }
  // The one of this agent and role; null: nothing is known.
  const Offer* KnownOf(const AgentId& agent, const std::string& role) const;
  Duration hold() const { return settings_.hold; }
  // The same as Known without copies: nothing else may be done with the book until they are back,
  // in their order.
  std::vector<Offer> LendKnown();
  void TakeBack(std::vector<Offer> known);
  // The same of what is in hand.
  std::vector<Offer> LendHand();
  void TakeBackHand(std::vector<Offer> hand);
  bool HasHand() const { return !hand_.empty(); }
  // Those in hand that have volumes of ours. Not while offers are lent.
  std::vector<Offer> HandWithVolumes() const;
  // What agents have free, in hand or not, as far as is known.
  const Amounts& Free() const { return free_; }
  size_t KnownSize() const { return known_.size(); }
  std::set<AgentId> KnownAgents() const;
  // Whether a gang may hold offers at this moment.
  bool MayHold(const std::string& job, Instant now) const;
  const std::set<std::string>& suppressed() const { return suppressed_; }

  // What launches took of an agent, executors included, and the offers of which they took it.
  struct Charge {
    const std::vector<OfferId>* offers;
    Resources resources;
  };
  // A plan is carried out: its offers are gone.
  void Spend(const std::vector<Charge>& charges, Instant now);
  // Answers the offers that stay. `wanted`: roles with waiting work. `elsewhere`: roles of which
  // work would fit into what is known but not in hand.
  OfferCalls Settle(const Plan& plan, const std::set<std::string>& wanted,
                    const std::set<std::string>& elsewhere, Instant now);
  // When Settle has something to do again, though nothing else happens.
  std::optional<Instant> Next(Instant now) const;

 private:
  struct Entry {
    Offer offer;  // without an id
    Instant seen;
    std::vector<OfferId> in_hand;
  };
  struct Held {
    Offer offer;
    Entry* entry;
  };
  using InHand = std::map<OfferId, Held>;
  // Gives the offer after it.
  InHand::iterator Drop(InHand::iterator offer);
  void SetFree(Entry& entry, Resources free);
  void UpdateHold(const Plan& plan, Instant now);
  void Decline(const Plan& plan, const std::set<std::string>& wanted, Instant now,
               OfferCalls& calls);
  void Revive(const std::set<std::string>& wanted, const std::set<std::string>& elsewhere,
              Instant now, OfferCalls& calls);
  Instant ReviveDue() const;

  OfferSettings settings_;
  std::vector<std::string> roles_;
  InHand hand_;
  std::set<OfferId> with_volumes_;                       // of those in hand
  IndexedMap<AgentRole, Entry, HashOfAgentRole> known_;  // of all that is in hand, and more
  Amounts free_{};                                       // of all that is known
  uint64_t changes_ = 0;                                 // of it
  std::set<std::string> suppressed_;
  std::map<std::string, Instant> wanted_;  // by role, when work last waited
  std::string holder_;
  Instant hold_ends_;
  std::map<std::string, Instant> rests_;  // jobs that may not hold until then
  Instant revived_;                       // the last REVIVE
  std::map<std::string, Instant> asked_;  // by role, the first REVIVE that may still be answered
  Duration revive_pause_{};
  Duration useless_pause_{};  // grows until an offer is of use
  bool answered_ = true;      // offers have come since
  bool revive_later_ = false;
  bool ask_for_all_ = false;
};

}  // namespace kiln::scheduler
