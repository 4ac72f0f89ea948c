#include "scheduler/placement/limits.h"

namespace kiln::scheduler {

Limits::Limits(const Sharing* sharing) : sharing_(sharing) {
  if (sharing == nullptr) return;
  for (const Role& role : sharing->settings->roles) {
    if (role.limit != kNoLimit || role.quota != Amounts{})
      entries_.emplace(role.name, Entry{&role});
  }
  for (const auto& [role, use] : sharing->use) Take(role, use.used);
}

const std::vector<Limits::Entry*>& Limits::Above(const std::string& role) {
  const auto [found, created] = above_.try_emplace(role);
  if (!created) return found->second;
  for (std::string_view name = role; !name.empty(); name = ParentRole(name)) {
    const auto entry = entries_.find(name);
    if (entry != entries_.end()) found->second.push_back(&entry->second);
  }
  return found->second;
}

std::optional<Cause> Limits::Over(const std::string& role, const Amounts& asked) {
  if (entries_.empty()) return std::nullopt;
  for (const Entry* entry : Above(role)) {
    for (size_t i = 0; i < asked.size(); ++i) {
      const int64_t limit = entry->role->limit[i];
      if (asked[i] == 0 || asked[i] <= limit - entry->used[i]) continue;
      return Cause{Blocker::kLimit,
                   fmt::format("role {} is limited to {}: {} in use, {} more asked for",
                               entry->role->name, AmountText(i, limit),
                               AmountText(i, entry->used[i]), AmountText(i, asked[i]))};
    }
  }
  return std::nullopt;
}

std::string Limits::BeyondAll(const Amounts& asked) const {
  for (size_t i = 0; sharing_ != nullptr && i < asked.size(); ++i) {
    if (asked[i] <= sharing_->total[i]) continue;
    return fmt::format("together they need {}, all agents have {}, free or not",
                       AmountText(i, asked[i]), AmountText(i, sharing_->total[i]));
  }
  return {};
}

std::optional<std::pair<const Limits::Entry*, size_t>> Limits::Owing(const std::string& role,
                                                                     const Amounts& asked) {
  if (entries_.empty()) return std::nullopt;
  for (const Entry* entry : Above(role)) {
    if (const auto i = QuotaCovers(entry->role->quota, entry->used, asked)) {
      return std::pair(entry, *i);
    }
  }
  return std::nullopt;
}

std::string Limits::Owed(const std::string& role, const Amounts& asked) {
  const auto owing = Owing(role, asked);
  if (!owing) return {};
  const auto& [entry, i] = *owing;
  return fmt::format("role {}, which has {} of its quota of {}", entry->role->name,
                     AmountText(i, entry->used[i]), AmountText(i, entry->role->quota[i]));
}

const Role* Limits::OwedQuota(const std::string& role, const Amounts& asked) {
  const auto owing = Owing(role, asked);
  return owing ? owing->first->role : nullptr;
}

void Limits::Take(const std::string& role, const Amounts& amounts) {
  if (entries_.empty()) return;
  for (Entry* entry : Above(role)) Add(entry->used, amounts);
}

void Limits::GiveBack(const std::string& role, const Amounts& amounts) {
  if (entries_.empty()) return;
  for (Entry* entry : Above(role)) Subtract(entry->used, amounts);
}

}  // namespace kiln::scheduler
