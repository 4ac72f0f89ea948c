// Where the members of a group may be: Marathon's operators over a field of agents.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace kiln {

enum class ConstraintOperator { kUnique, kCluster, kGroupBy, kLike, kUnlike, kMaxPer, kIs };

struct Constraint {
  std::string field;  // hostname, @hostname, @region, @zone, or an attribute
  ConstraintOperator op = ConstraintOperator::kUnique;
  std::string value;  // empty where the operator needs none

  bool operator==(const Constraint&) const = default;
};

// "hostname MAX_PER 2".
std::string ToText(const Constraint& constraint);

// Texts are the same exactly, numbers to Mesos's three decimals.
bool IsSameValue(const std::string& a, const std::string& b);

// All members have one value of the field.
bool HasOneValue(const Constraint& constraint);
// How many members may have the same value while all have it; nothing where it does not matter.
std::optional<int> MostOfOneValue(const Constraint& constraint);

// Each constraint of a group with so many members is sound, and all together let every member
// start somewhere, as far as that can be known. The first fault; `field` is that of the list.
Status CheckConstraints(const std::string& field, const std::vector<Constraint>& constraints,
                        int members);

}  // namespace kiln
