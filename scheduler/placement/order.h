// The order in which waiting jobs are served.
//
// Within a role by priority, where waiting counts: a job stands one point of priority higher for
// each `ageing` that it has waited. As all that waits ages alike, that order does not change with
// time, and everybody comes to be first.
//
// Between roles: those whose next job their quota, or the quota of a role above, covers go first.
// Then weighted dominant resource fairness (Ghodsi et al., NSDI 2011), level by level over the tree
// of roles: the child with the smallest dominant share for its weight is next. A role with children
// has the share that hierarchical DRF gives it (Bhattacharya et al., SoCC 2013): what its children
// with waiting jobs have is first scaled down to the smallest share among those that have
// something, so that a role is not charged for what its children cannot use. A role's own jobs are
// a child of it with weight 1, as in Mesos.
//
// What counts is half what a role uses and half what it has used: the mean of its use in time,
// where use counts for half after each half-life.
//
// Pure: no clock, no chance.
#pragma once

#include <array>
#include <cstddef>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/time.h"
#include "model/role.h"

namespace kiln::scheduler {

struct RoleUse {
  Amounts used{};                             // by tasks of the role itself, not of those below
  std::array<double, kShared.size()> past{};  // its mean in time, in the units of Amounts

  bool operator==(const RoleUse&) const = default;
};

// What order and limits go by. The settings are borrowed.
struct Sharing {
  const RoleSettings* settings = nullptr;
  std::map<std::string, RoleUse> use;  // by role
  Amounts total{};                     // that there is, free or not, as far as is known
};

// Who stands before whom in one role, the smallest first. The same at all times.
using Precedence = std::pair<int64_t, int64_t>;
Precedence PrecedenceOf(int priority, Instant since, Duration ageing);

// What waits together: a gang, or members that can start one by one.
struct Bid {
  std::string role;
  Precedence precedence;  // of equal ones in a role the first in the list goes first
  Amounts each{};         // what one of them takes
  size_t count = 1;
  bool divisible = true;  // may be served in several turns
};

// So many of a bid, after those of its turns before.
struct Turn {
  size_t bid = 0;
  size_t first = 0;
  size_t count = 0;

  bool operator==(const Turn&) const = default;
};

// Each of a bid is in one turn. Where roles compete, a bid of many is served in turns of a 64th of
// the cluster. Costs a logarithm of the roles for each turn.
std::vector<Turn> OrderOf(const std::vector<Bid>& bids, const Sharing& sharing);

// What a role has, with all roles below it.
struct RoleShare {
  Role role;  // as it is set
  Amounts used{};
  double share = 0;    // of the cluster: the part of the resource of which it uses the largest
  double counted = 0;  // the same with its past, as the order counts it

  bool operator==(const RoleShare&) const = default;
};

// Of the roles that are set, of those that use something, of `more`, and of those above them; by
// name.
std::vector<RoleShare> SharesOf(const Sharing& sharing, const std::vector<std::string>& more);

}  // namespace kiln::scheduler
