// What roles may have at most and are guaranteed, while a plan is made.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/role.h"
#include "scheduler/placement/explain.h"
#include "scheduler/placement/snapshot.h"

namespace kiln::scheduler {

// Limits and quotas hold for a role together with all roles below it. The sharing is borrowed.
class Limits {
 public:
  // Null: there are none.
  explicit Limits(const Sharing* sharing);

  // Why so much more is too much for the role or one above it; the lowest is named.
  std::optional<Cause> Over(const std::string& role, const Amounts& asked);
  // "together they need 8 gpus, all agents have 6 gpus, free or not": when that is so, as far as is
  // known.
  std::string BeyondAll(const Amounts& asked) const;
  // "role a, which has 2 gpus of its quota of 4 gpus": the lowest whose quota covers so much more,
  // or nothing.
  std::string Owed(const std::string& role, const Amounts& asked);
  // The lowest role whose quota covers so much more, or null.
  const Role* OwedQuota(const std::string& role, const Amounts& asked);
  void Take(const std::string& role, const Amounts& amounts);
  void GiveBack(const std::string& role, const Amounts& amounts);

 private:
  struct Entry {
    const Role* role;
    Amounts used{};
  };
  const std::vector<Entry*>& Above(const std::string& role);
  // The lowest role whose quota covers so much more, and a resource of which it does.
  std::optional<std::pair<const Entry*, size_t>> Owing(const std::string& role,
                                                       const Amounts& asked);

  const Sharing* sharing_;
  std::map<std::string_view, Entry> entries_;         // of roles with a limit or a quota
  std::map<std::string, std::vector<Entry*>> above_;  // that hold for a role, the lowest first
};

}  // namespace kiln::scheduler
