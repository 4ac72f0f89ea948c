// Marathon's constraint operators over the agents of one group's members.
#pragma once

#include <map>
#include <optional>
#include <regex>
#include <string>
#include <vector>

#include "model/job.h"
#include "model/offer.h"

namespace kiln::scheduler {

// The value of hostname, @hostname, @region, @zone, @agent (its id) or an attribute; null if the
// agent has none.
const std::string* FieldOf(const Agent& agent, const std::string& field);
inline bool HasField(const Agent& agent, const std::string& field, const std::string& value) {
  const std::string* found = FieldOf(agent, field);
  return found != nullptr && *found == value;
}

// Whether it matters to them where members of the group already are.
bool CountMembers(const std::vector<Constraint>& constraints);

class Constraints {
 public:
  explicit Constraints(const std::vector<Constraint>& constraints);

  // Counts a live member of the group.
  void Add(const Agent& agent);
  // Another member may go there.
  bool Allows(const Agent& agent) const;
  // The first constraint that does not allow it; null if all do.
  const Constraint* Against(const Agent& agent) const;
  // How many members share a value that GROUP_BY spreads: fewer is better.
  int Crowd(const Agent& agent) const;
  // The field of a CLUSTER that no member has bound to a value yet, or null.
  const std::string* OpenCluster() const;
  bool Empty() const { return rules_.empty(); }
  // What it does not allow it may allow when other members have been added.
  bool MayOpen() const;

 private:
  struct Rule {
    Constraint constraint;
    std::optional<std::regex> pattern;
    mutable std::map<std::string, bool> matches;  // of the pattern, by value
    std::map<std::string, int> counts;            // members by value
  };
  static bool Matches(const Rule& rule, const std::string& value);
  static bool Passes(const Rule& rule, const Agent& agent);

  std::vector<Rule> rules_;
};

}  // namespace kiln::scheduler
