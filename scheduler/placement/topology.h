// Where the agents of a plan stand: domains within domains.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "scheduler/placement/levels.h"
#include "scheduler/placement/rooms.h"

namespace kiln::scheduler {

// The rooms of one role by where their agents stand. A domain is its path: r1 of zone a is another
// rack than r1 of zone b. Who does not say a level stands in the domain above it. Rooms are
// borrowed.
class Topology {
 public:
  struct Domain {
    int level = -1;  // -1: all rooms
    std::string_view name;
    size_t parent = 0;
    std::map<std::pair<int, std::string_view>, size_t> below;  // domains, by level and name
    std::vector<size_t> rooms;                                 // that stand in none of them
  };

  Topology(const std::vector<Room>& rooms, const std::string& role, Levels levels);

  const Domain& operator[](size_t domain) const { return domains_[domain]; }
  size_t size() const { return domains_.size(); }
  // The smallest one of an agent, who need not have a room. 0 is the domain of all rooms.
  size_t Locate(const Agent& agent);
  // The domain of the level in which this one is, or this one; 0 where there is none.
  size_t Within(size_t domain, int level) const;
  // All of the domain, with those below.
  std::vector<size_t> RoomsOf(size_t domain) const;
  // Whose agents say the level.
  std::vector<size_t> RoomsAt(int level) const;
  // Its name, or its path where others of the level share the name.
  std::string NameOf(size_t domain) const;

 private:
  void Collect(size_t domain, std::vector<size_t>& rooms) const;

  Levels levels_;
  std::vector<Domain> domains_ = {{}};
};

}  // namespace kiln::scheduler
