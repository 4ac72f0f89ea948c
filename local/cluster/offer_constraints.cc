#include "local/cluster/offer_constraints.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <vector>

namespace kiln::local {

using mesos::v1::AgentInfo;
using mesos::v1::scheduler::AttributeConstraint;
using Predicate = AttributeConstraint::Predicate;
using Selector = AttributeConstraint::Selector;

namespace {

constexpr int kRepetitionMax = 1000;
constexpr size_t kPatternMax = 512;  // characters: reading a long one exhausts the stack

// RE2, which a Mesos master uses, bounds the product of nested repetitions; std::regex would
// expand it. The text of the first repetition beyond the bound.
std::optional<std::string> TooManyRepetitions(const std::string& pattern) {
  std::vector<int> groups{1};  // the largest product inside each open group
  int last = 1;                // of the element just before
  for (size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if (c == '\\') {
      ++i;
      last = 1;
    } else if (c == '(') {
      groups.push_back(1);
      last = 1;
    } else if (c == ')' && groups.size() > 1) {
      last = groups.back();
      groups.pop_back();
    } else if (c == '{') {
      const size_t end = pattern.find('}', i);
      if (end == std::string::npos) break;
      int most = 0;
      int number = 0;
      for (char digit : pattern.substr(i + 1, end - i - 1)) {
        number = digit >= '0' && digit <= '9' ? std::min(number * 10 + digit - '0', 100'000) : 0;
        most = std::max(most, number);
      }
      if (last * std::max(most, 1) > kRepetitionMax) return pattern.substr(i, end - i + 1);
      last *= std::max(most, 1);
      i = end;
    } else {
      last = 1;
    }
    groups.back() = std::max(groups.back(), last);
  }
  return std::nullopt;
}

Objection Compile(const std::string& pattern, std::map<std::string, std::regex>* patterns) {
  const std::string failed = fmt::format("Failed to construct regex from pattern '{}': ", pattern);
  if (auto repetition = TooManyRepetitions(pattern)) {
    return failed + "invalid repetition size: " + *repetition;
  }
  if (pattern.size() > kPatternMax) return failed + "pattern too large - compile failed";
  try {
    // As RE2, in time that grows with the text's length and not with its power.
    patterns->emplace(
        pattern, std::regex(pattern, std::regex::ECMAScript | std::regex_constants::__polynomial));
  } catch (const std::regex_error& error) {
    return failed + error.what();
  }
  return std::nullopt;
}

Objection Check(const AttributeConstraint& constraint,
                std::map<std::string, std::regex>* patterns) {
  switch (constraint.selector().selector_case()) {
    case Selector::SELECTOR_NOT_SET:
      return "Exactly one of 'AttributeConstraint::Selector::attribute_name' or "
             "'AttributeConstraint::Selector::pseudoattribute_type' must be set";
    case Selector::kAttributeName:
      break;
    case Selector::kPseudoattributeType:
      if (constraint.selector().pseudoattribute_type() == Selector::UNKNOWN) {
        return "Unknown pseudoattribute type";
      }
      break;
  }
  switch (constraint.predicate().predicate_case()) {
    case Predicate::PREDICATE_NOT_SET:
      return "Unknown predicate type";
    case Predicate::kTextMatches:
      return Compile(constraint.predicate().text_matches().regex(), patterns);
    case Predicate::kTextNotMatches:
      return Compile(constraint.predicate().text_not_matches().regex(), patterns);
    case Predicate::kExists:
    case Predicate::kNotExists:
    case Predicate::kTextEquals:
    case Predicate::kTextNotEquals:
      break;
  }
  return std::nullopt;
}

// What a selector finds at an agent: nothing, a text, or something that is no text.
struct Found {
  bool exists = false;
  std::optional<std::string> text;
};

Found Select(const Selector& selector, const AgentInfo& agent) {
  if (selector.selector_case() == Selector::kAttributeName) {
    for (const auto& attribute : agent.attributes()) {
      if (attribute.name() != selector.attribute_name()) continue;
      if (attribute.type() != mesos::v1::Value::TEXT) return {true, std::nullopt};
      return {true, attribute.text().value()};
    }
    return {};
  }
  const auto& domain = agent.domain().fault_domain();
  switch (selector.pseudoattribute_type()) {
    case Selector::HOSTNAME:
      return {true, agent.hostname()};
    case Selector::REGION:
      if (!agent.domain().has_fault_domain()) return {};
      return {true, domain.region().name()};
    case Selector::ZONE:
      if (!agent.domain().has_fault_domain()) return {};
      return {true, domain.zone().name()};
    case Selector::UNKNOWN:
      return {};
  }
  return {};
}

}  // namespace

Objection OfferConstraints::Make(const mesos::v1::scheduler::OfferConstraints& wire,
                                 const std::set<std::string>& roles,
                                 OfferConstraints* constraints) {
  const std::string invalid = "Offer constraints are not valid: ";
  OfferConstraints made;
  made.wire_ = wire;
  for (const auto& [role, of_role] : wire.role_constraints()) {
    if (!roles.count(role)) {
      return fmt::format(
          "Offer constraints specify `role_constraints` for a role '{}'not contained in the set of "
          "roles",
          role);
    }
    if (of_role.groups_size() == 0) {
      return fmt::format(
          "{}'OfferConstraints::role_constraints' has an empty RoleConstraints for role {}",
          invalid, role);
    }
    for (const auto& group : of_role.groups()) {
      if (group.attribute_constraints_size() == 0) {
        return fmt::format(
            "{}'OfferConstraints::RoleConstraints::groups' for role {}contains an empty "
            "RoleConstraints::Group",
            invalid, role);
      }
      for (const AttributeConstraint& constraint : group.attribute_constraints()) {
        if (Objection objection = Check(constraint, &made.patterns_)) {
          return fmt::format("{}A role {} has an invalid 'AttributeConstraint': {}", invalid, role,
                             *objection);
        }
      }
    }
  }
  *constraints = std::move(made);
  return std::nullopt;
}

bool OfferConstraints::Wants(const std::string& role, const AgentInfo& agent) const {
  auto found = wire_.role_constraints().find(role);
  if (found == wire_.role_constraints().end()) return true;
  const auto& groups = found->second.groups();
  return std::any_of(groups.begin(), groups.end(), [&](const auto& group) {
    return std::all_of(group.attribute_constraints().begin(), group.attribute_constraints().end(),
                       [&](const auto& constraint) { return Holds(constraint, agent); });
  });
}

bool OfferConstraints::Holds(const AttributeConstraint& constraint, const AgentInfo& agent) const {
  const Found found = Select(constraint.selector(), agent);
  const Predicate& predicate = constraint.predicate();
  // The negations hold where the attribute is missing; all texts hold where it is no text.
  const bool no_text = found.exists && !found.text;
  auto matches = [&](const std::string& pattern) {
    return std::regex_match(*found.text, patterns_.at(pattern));
  };
  switch (predicate.predicate_case()) {
    case Predicate::kExists:
      return found.exists;
    case Predicate::kNotExists:
      return !found.exists;
    case Predicate::kTextEquals:
      return no_text || (found.text && *found.text == predicate.text_equals().value());
    case Predicate::kTextNotEquals:
      return !found.text || *found.text != predicate.text_not_equals().value();
    case Predicate::kTextMatches:
      return no_text || (found.text && matches(predicate.text_matches().regex()));
    case Predicate::kTextNotMatches:
      return !found.text || !matches(predicate.text_not_matches().regex());
    case Predicate::PREDICATE_NOT_SET:
      return false;
  }
  return false;
}

}  // namespace kiln::local
