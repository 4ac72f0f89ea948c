// Roles: who pays for jobs. Their names are paths ("research/vision"), so the parent of a role
// follows from its name.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "model/job.h"
#include "model/resources.h"

namespace kiln {

// What roles share, in the order of Amounts.
inline constexpr std::array<const char*, 4> kShared = {"cpus", "mem", "disk", "gpus"};
inline constexpr int64_t kUnlimited = std::numeric_limits<int64_t>::max();

// Thousandths of cpus, bytes of mem, bytes of disk, thousandths of gpus: numbers without names.
using Amounts = std::array<int64_t, kShared.size()>;
inline constexpr Amounts kNoLimit = {kUnlimited, kUnlimited, kUnlimited, kUnlimited};

// Revocable cpus count for nobody's share, quota or limit: they are lent.
Amounts AmountsOf(const Resources& resources);
// Of one member.
Amounts AmountsOf(const Group& group);
Amounts Times(Amounts amounts, int64_t count);
void Add(Amounts& sum, const Amounts& more);
void Subtract(Amounts& sum, const Amounts& less);
// "8 gpus", "64GiB of mem": of the resource at the index.
std::string AmountText(size_t shared, int64_t amount);

struct Role {
  std::string name;
  double weight = 1;         // its part beside its siblings
  Amounts quota{};           // guaranteed: below it, it goes before others
  Amounts limit = kNoLimit;  // that it never has more than, with the roles below it

  bool operator==(const Role&) const = default;
};

// All of what is asked for that the quota tells of is within it: gives one such resource. Nothing
// when there is none.
std::optional<size_t> QuotaCovers(const Amounts& quota, const Amounts& used, const Amounts& asked);

struct RoleSettings {
  std::vector<Role> roles;  // a role that is not there has the defaults
  // Use counts for half after so long; zero: only what is in use at the moment counts.
  Duration half_life = std::chrono::hours(24);
  // A job that has waited so long stands one point of priority higher; zero: waiting changes
  // nothing.
  Duration ageing = std::chrono::hours(1);

  bool operator==(const RoleSettings&) const = default;
};

// "research" for "research/vision", empty for "research".
std::string_view ParentRole(std::string_view name);
// The role is the other one, or below it.
bool IsWithin(std::string_view role, std::string_view other);

// Mesos's rules for names of roles. `field` is for the error.
Status CheckRoleName(const std::string& field, const std::string& name);

// Names, weights, quotas within limits, and the quotas of children together within what their
// parent is guaranteed, or else limited to. The first fault, with its field.
Status Validate(const RoleSettings& settings);

}  // namespace kiln
