#include "scheduler/lifecycle/durations.h"

#include <algorithm>

#include "scheduler/lifecycle/quarantine.h"

namespace kiln::scheduler {
namespace {

constexpr size_t kRemembered = 8;  // of each likeness
constexpr size_t kLikenesses = 4096;

}  // namespace

void Durations::Add(const Group& group, Duration took) {
  Entry& entry = entries_[LikenessOf(group)];
  entry.last.push_back(took);
  if (entry.last.size() > kRemembered) entry.last.erase(entry.last.begin());
  entry.added = ++additions_;
  if (entries_.size() <= kLikenesses) return;
  entries_.erase(std::min_element(entries_.begin(), entries_.end(), [](auto& a, auto& b) {
    return a.second.added < b.second.added;
  }));
}

std::optional<Duration> Durations::Of(const Group& group) const {
  const auto entry = entries_.find(LikenessOf(group));
  if (entry == entries_.end()) return std::nullopt;
  return *std::max_element(entry->second.last.begin(), entry->second.last.end());
}

}  // namespace kiln::scheduler
