#include "scheduler/placement/role_usage.h"

#include <cmath>

namespace kiln::scheduler {

double RoleUsage::Kept(Duration time) const {
  return half_life_.count() == 0 ? 0 : std::exp2(-ToSeconds(time) / ToSeconds(half_life_));
}

void RoleUsage::Advance(Entry& entry, Instant now) const {
  if (now <= entry.at) return;
  const double kept = Kept(now - entry.at);
  for (size_t i = 0; i < kShared.size(); ++i) {
    entry.use.past[i] =
        entry.use.past[i] * kept + static_cast<double>(entry.use.used[i]) * (1 - kept);
  }
  entry.at = now;
}

void RoleUsage::Change(const std::string& role, const Amounts& amounts, int64_t sign, Instant at) {
  const auto [found, created] = entries_.try_emplace(role);
  Entry& entry = found->second;
  if (created) entry.at = at;
  Advance(entry, at);
  // News of an earlier time: as if it had been known then.
  const double missed = 1 - Kept(entry.at - at);
  for (size_t i = 0; i < kShared.size(); ++i) {
    entry.use.used[i] += sign * amounts[i];
    entry.use.past[i] += static_cast<double>(sign * amounts[i]) * missed;
  }
}

void RoleUsage::Start(const std::string& role, const Amounts& amounts, Instant at) {
  Change(role, amounts, 1, at);
}

void RoleUsage::End(const std::string& role, const Amounts& amounts, Instant at) {
  Change(role, amounts, -1, at);
}

std::map<std::string, RoleUse> RoleUsage::At(Instant now) const {
  std::map<std::string, RoleUse> use;
  for (const auto& [role, entry] : entries_) {
    Entry copy = entry;
    Advance(copy, now);
    use.emplace(role, copy.use);
  }
  return use;
}

}  // namespace kiln::scheduler
