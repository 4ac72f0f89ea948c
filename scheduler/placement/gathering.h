// Brings the members of a gang near each other.
//
// A gang that requires a level is in one domain of it. One that prefers a level is in the smallest
// domain, of this level or above, that holds all of it; of those in the one that it fills most;
// and there in as few domains of the preferred level as can be. Its live members draw it to where
// they are, and fix the domain that it requires.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "scheduler/placement/topology.h"

namespace kiln::scheduler {

// The members of one gang that wait, and the plan in the making that takes them in.
class GangFill {
 public:
  virtual ~GangFill() = default;
  // How many are out, by group.
  virtual std::vector<size_t> Out() const = 0;
  // How many of a group one room holds: at least as many as Put puts there.
  virtual size_t Holds(size_t room, size_t group) const = 0;
  // Puts those that are out into these rooms, as long as they fit; null: into any.
  virtual void Put(const std::vector<size_t>* rooms) = 0;
  // Nobody is out, or nobody may come in however much room there is.
  virtual bool Done() const = 0;
  virtual void TakeAllBack() = 0;
};

// What a gang asks for.
struct Nearness {
  Levels levels;     // of the topology, down to the preferred one
  int require = -1;  // by its place among them; -1: none
  int prefer = -1;   // at least `require`
};

// A required level that nobody knows stands behind all levels; a preferred one is nobody's wish.
Nearness NearnessOf(const Job& job, const Levels& levels);

struct Gathered {
  size_t domain = 0;   // that holds what was put; 0: all rooms
  size_t domains = 0;  // of the required level that offer something
  size_t live = 0;     // members in `domain`, if they fix it
};

// Puts as many members as fit. `live`: where the members that run are, in `topology`.
Gathered Gather(const Topology& topology, const std::vector<size_t>& live, const Nearness& nearness,
                GangFill& gang);

// "needs 8 members in one rack: 3 racks, the most that fit is 5 in r2".
std::string ReasonOf(const Topology& topology, const Gathered& gathered, const std::string& level,
                     size_t needed, size_t fit);

}  // namespace kiln::scheduler
