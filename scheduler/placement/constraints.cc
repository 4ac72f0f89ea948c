#include "scheduler/placement/constraints.h"

#include <algorithm>
#include <charconv>

#include "model/pattern.h"

namespace kiln::scheduler {
namespace {

int CountOf(const std::string& text) {
  int count = 0;
  std::from_chars(text.data(), text.data() + text.size(), count);
  return count;
}

// As Marathon: a value not seen yet is welcome; a seen one only while it has no more members than
// any other, and at least `wanted` values are seen.
bool GroupByAllows(const std::map<std::string, int>& counts, const std::string& value, int wanted) {
  const auto here = counts.find(value);
  if (here == counts.end()) return true;
  const auto least =
      std::min_element(counts.begin(), counts.end(),
                       [](const auto& a, const auto& b) { return a.second < b.second; });
  return static_cast<int>(counts.size()) >= wanted && here->second == least->second;
}

}  // namespace

const std::string* FieldOf(const Agent& agent, const std::string& field) {
  if (field == "hostname" || field == "@hostname") return &agent.hostname;
  if (field == "@region" || field == "@zone") {
    const std::string& value = field == "@region" ? agent.region : agent.zone;
    return value.empty() ? nullptr : &value;
  }
  if (field == "@agent") return &agent.id.text;
  const auto found = agent.attributes.find(field);
  return found == agent.attributes.end() ? nullptr : &found->second;
}

bool CountMembers(const std::vector<Constraint>& constraints) {
  return std::any_of(constraints.begin(), constraints.end(), [](const Constraint& constraint) {
    switch (constraint.op) {
      case ConstraintOperator::kUnique:
      case ConstraintOperator::kGroupBy:
      case ConstraintOperator::kMaxPer:
        return true;
      case ConstraintOperator::kCluster:
        return constraint.value.empty();
      case ConstraintOperator::kLike:
      case ConstraintOperator::kUnlike:
      case ConstraintOperator::kIs:
        return false;
    }
    return false;
  });
}

Constraints::Constraints(const std::vector<Constraint>& constraints) {
  for (const Constraint& constraint : constraints) {
    Rule rule{.constraint = constraint};
    if (constraint.op == ConstraintOperator::kLike ||
        constraint.op == ConstraintOperator::kUnlike) {
      // Submission refuses what is no pattern; an old record that has one matches nothing.
      rule.pattern = CompilePattern(constraint.value);
    }
    rules_.push_back(std::move(rule));
  }
}

void Constraints::Add(const Agent& agent) {
  for (Rule& rule : rules_) {
    if (const std::string* value = FieldOf(agent, rule.constraint.field)) ++rule.counts[*value];
  }
}

// Agents are many, and their values few as a rule.
bool Constraints::Matches(const Rule& rule, const std::string& value) {
  const auto [match, is_new] = rule.matches.try_emplace(value);
  if (is_new) match->second = std::regex_match(value, *rule.pattern);
  return match->second;
}

bool Constraints::Passes(const Rule& rule, const Agent& agent) {
  const std::string* value = FieldOf(agent, rule.constraint.field);
  if (value == nullptr) return rule.constraint.op == ConstraintOperator::kUnlike;
  const auto here = rule.counts.find(*value);
  const int count = here == rule.counts.end() ? 0 : here->second;
  const std::string& wanted = rule.constraint.value;
  switch (rule.constraint.op) {
    case ConstraintOperator::kUnique:
      return count == 0;
    case ConstraintOperator::kCluster:
      if (!wanted.empty()) return *value == wanted;
      return rule.counts.empty() || count > 0;
    case ConstraintOperator::kGroupBy:
      return GroupByAllows(rule.counts, *value, CountOf(wanted));
    case ConstraintOperator::kLike:
      return rule.pattern && Matches(rule, *value);
    case ConstraintOperator::kUnlike:
      return rule.pattern && !Matches(rule, *value);
    case ConstraintOperator::kMaxPer:
      return count < CountOf(wanted);
    case ConstraintOperator::kIs:
      return IsSameValue(*value, wanted);
  }
  return false;
}

const Constraint* Constraints::Against(const Agent& agent) const {
  for (const Rule& rule : rules_) {
    if (!Passes(rule, agent)) return &rule.constraint;
  }
  return nullptr;
}

bool Constraints::Allows(const Agent& agent) const { return Against(agent) == nullptr; }

int Constraints::Crowd(const Agent& agent) const {
  int crowd = 0;
  for (const Rule& rule : rules_) {
    if (rule.constraint.op != ConstraintOperator::kGroupBy) continue;
    const std::string* value = FieldOf(agent, rule.constraint.field);
    const auto here = value != nullptr ? rule.counts.find(*value) : rule.counts.end();
    if (here != rule.counts.end()) crowd += here->second;
  }
  return crowd;
}

const std::string* Constraints::OpenCluster() const {
  for (const Rule& rule : rules_) {
    if (rule.constraint.op == ConstraintOperator::kCluster && rule.constraint.value.empty() &&
        rule.counts.empty()) {
      return &rule.constraint.field;
    }
  }
  return nullptr;
}

bool Constraints::MayOpen() const {
  return std::any_of(rules_.begin(), rules_.end(), [](const Rule& rule) {
    return rule.constraint.op == ConstraintOperator::kGroupBy;
  });
}

}  // namespace kiln::scheduler
