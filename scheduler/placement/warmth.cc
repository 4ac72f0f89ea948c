#include "scheduler/placement/warmth.h"

namespace kiln::scheduler {

void Warmth::See(const Room& room, size_t number) {
  if (warm_ == nullptr) return;
  for (const std::string& pool : warm_->On(room.agent->id)) rooms_[pool].insert(number);
}

const std::set<size_t>& Warmth::Rooms(const std::string& pool) const {
  static const auto* const none = new std::set<size_t>;
  const auto found = rooms_.find(pool);
  return found == rooms_.end() ? *none : found->second;
}

}  // namespace kiln::scheduler
