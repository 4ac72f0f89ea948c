// Which rooms have the executor of which pool, while a plan is made.
#pragma once

#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "scheduler/placement/rooms.h"

namespace kiln::scheduler {

// Rooms are known by their place in the list.
class Warmth {
 public:
  // Null: there are none yet.
  explicit Warmth(const WarmExecutors* warm) : warm_(warm) {}
  // What is there from the beginning.
  void See(const Room& room, size_t number);

  // Of whatever role.
  const std::set<size_t>& Rooms(const std::string& pool) const;
  bool Has(const std::string& pool, size_t room) const { return Rooms(pool).contains(room); }
  void Add(const std::string& pool, size_t room) { rooms_[pool].insert(room); }
  void Remove(const std::string& pool, size_t room) { rooms_[pool].erase(room); }

 private:
  const WarmExecutors* warm_;
  std::unordered_map<std::string, std::set<size_t>> rooms_;  // by pool
};

}  // namespace kiln::scheduler
