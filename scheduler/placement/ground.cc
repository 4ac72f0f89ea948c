#include "scheduler/placement/ground.h"

namespace kiln::scheduler {
namespace {

constexpr size_t kLooksOfStep = 8;  // three of them for each room

}  // namespace

bool Ground::GoOn(size_t& looks, size_t looks_max) {
  const auto each = [&](size_t& next, size_t end, auto step) {
    for (; next < end && looks < looks_max; ++next) {
      looks += kLooksOfStep;
      step(next);
    }
    return next == end;
  };
  const auto make = [this](size_t offer) { maker_.Add(offer); };
  const auto see = [this](size_t room) {
    maker_.AddShares(rooms_[room]);
    ranking_.See(room);
    warmth_.See(rooms_[room], room);
    if (!brief_) names_.Add(*rooms_[room].agent);
  };
  const auto enter = [this](size_t room) { ranking_.Enter(room); };
  return each(made_, maker_.offers(), make) && each(seen_, rooms_.size(), see) &&
         each(entered_, rooms_.size(), enter);
}

}  // namespace kiln::scheduler
