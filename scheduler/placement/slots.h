// Where the members of one waiting job may go, and whom each would take the place of.
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <set>
#include <unordered_map>
#include <vector>

#include "scheduler/placement/regions.h"
#include "scheduler/placement/snapshot.h"
#include "scheduler/placement/victims.h"

namespace kiln::scheduler {

bool AtLeast(const Amounts& have, const Amounts& need);

// An agent where members may go.
struct Spot {
  const Agent* agent = nullptr;
  Resources base;                  // what is free or will be, without an eviction
  Resources free;                  // with those out who go, and the members in that have come
  std::vector<size_t> candidates;  // of the victims, who are there
  bool executor = false;           // of the members has come
  bool used = false;               // by a member
  unsigned version = 0;            // of what is free
};

// Whom one more member takes the place of.
struct Slot {
  double price = Victims::kNever;
  std::vector<size_t> victims;
};

// Members take places one by one; nothing is final. Threads: one at a time. All is borrowed.
class Slots {
 public:
  Slots(const Snapshot& snapshot, const WaitingJob& job, const Regions& regions, size_t region,
        Victims& victims);

  const std::vector<Spot>& spots() const { return spots_; }
  // So many members are still to find a place.
  void SetWanted(size_t wanted) { wanted_ = wanted; }

  // No slot there costs less at this point; kNever when there is none.
  double LeastPrice(const Group& spec, size_t spot) const;
  // The cheaper of two: the cheapest victim that is enough alone; or the cheapest ones together,
  // without those that turn out to be needless. Amounts are looked at, and if it is to be exact
  // devices, links and ports as well.
  Slot Find(const Group& spec, size_t spot, bool exact) const;
  // What the slot costs at this point; kNever when somebody in it cannot go.
  double Price(const Slot& slot) const;
  double Price(size_t candidate) const { return Price(candidate, 0); }
  // The victims go, with all who have to go with them, and a member comes. False: it does not fit,
  // and nobody goes.
  bool Settle(const Group& spec, size_t spot, const Slot& slot);
  // The spots that have changed since this was last asked, each once.
  std::vector<size_t> TakeTouched();

  // Those who go.
  std::vector<Victims::Departure>& departures() { return departures_; }
  const std::vector<Victims::Departure>& departures() const { return departures_; }
  void Evict(size_t candidate);
  // What the spot has free with those out who go, and without members.
  Resources Freed(size_t spot) const;

 private:
  struct Part {
    size_t candidate = 0;
    double price = 0;
    std::vector<size_t> freed;  // candidates on the agent that go with it
  };
  struct Tray {  // what is free with some of them gone
    Amounts amounts{};
    Resources resources;
    bool exact = false;
  };
  using Enough = std::function<bool(const Tray&)>;

  Spot* SpotOf(const AgentId& id, const Agent* agent);
  void Move(size_t candidate, bool out);
  void UndoLast();
  double Price(size_t candidate, int ahead) const;
  // What a member takes, with an executor where it needs one.
  Amounts NeedOf(const Group& spec, const Spot& spot) const;
  bool NeedsExecutor(const Group& spec, const Spot& spot) const;
  std::optional<Resources> Take(const Group& spec, const Spot& spot, Resources free) const;
  std::vector<Part> PartsOf(const Spot& spot) const;
  std::vector<size_t> With(const Spot& spot, size_t candidate, int ahead,
                           const std::set<size_t>& gone) const;
  void Put(const std::vector<size_t>& freed, Tray& tray) const;
  void PutBack(const std::vector<size_t>& freed, Tray& tray) const;
  Slot Together(const Spot& spot, const std::vector<Part>& parts, Tray tray,
                const Enough& enough) const;

  static constexpr size_t kNoSpot = ~size_t{0};

  const Snapshot& snapshot_;
  const WaitingJob& job_;
  const Regions& regions_;
  size_t region_;
  Victims& victims_;
  std::set<AgentId> kept_;  // for others
  std::vector<Spot> spots_;
  std::deque<Agent> copies_;  // of agents with devices that are barred
  std::unordered_map<AgentId, size_t> numbers_;
  std::vector<Victims::Departure> departures_;
  std::vector<size_t> touched_;
  std::set<size_t> excluded_;  // candidates that quota does not let go with others
  size_t wanted_ = 1;
};

}  // namespace kiln::scheduler
