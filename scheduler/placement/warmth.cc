#include "scheduler/placement/warmth.h"

namespace kiln::scheduler {
namespace {

constexpr size_t kFew = 16;  // so many executors for each room: a search is quicker than a walk

}  // namespace

Warmth::Warmth(const WarmExecutors* warm, const std::vector<Room>& rooms) {
  if (warm == nullptr) return;
  auto next = warm->begin();
  // Both are in the order of agents.
  for (size_t room = 0; room < rooms.size(); ++room) {
    const AgentId& agent = rooms[room].agent->id;
    if (warm->size() > kFew * rooms.size()) next = warm->lower_bound({agent, {}});
    while (next != warm->end() && next->first < agent) ++next;
    for (auto here = next; here != warm->end() && here->first == agent; ++here) {
      rooms_[here->second].insert(room);
    }
  }
}

const std::set<size_t>& Warmth::Rooms(const std::string& pool) const {
  static const auto* const none = new std::set<size_t>;
  const auto found = rooms_.find(pool);
  return found == rooms_.end() ? *none : found->second;
}

}  // namespace kiln::scheduler
