#include "scheduler/placement/warmth.h"

namespace kiln::scheduler {

Warmth::Warmth(const WarmExecutors* warm, const std::vector<Room>& rooms) {
  for (size_t room = 0; warm != nullptr && room < rooms.size(); ++room) {
    for (const std::string& pool : warm->On(rooms[room].agent->id)) rooms_[pool].insert(room);
  }
}

const std::set<size_t>& Warmth::Rooms(const std::string& pool) const {
  static const auto* const none = new std::set<size_t>;
  const auto found = rooms_.find(pool);
  return found == rooms_.end() ? *none : found->second;
}

}  // namespace kiln::scheduler
