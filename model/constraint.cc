#include "model/constraint.h"

#include <charconv>
#include <cmath>

#include "model/pattern.h"

namespace kiln {
namespace {

const char* OperatorName(ConstraintOperator op) {
  switch (op) {
    case ConstraintOperator::kUnique:
      return "UNIQUE";
    case ConstraintOperator::kCluster:
      return "CLUSTER";
    case ConstraintOperator::kGroupBy:
      return "GROUP_BY";
    case ConstraintOperator::kLike:
      return "LIKE";
    case ConstraintOperator::kUnlike:
      return "UNLIKE";
    case ConstraintOperator::kMaxPer:
      return "MAX_PER";
    case ConstraintOperator::kIs:
      return "IS";
  }
  return "";
}

std::optional<int> CountOf(const std::string& text) {
  int count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc() || end != text.data() + text.size() || count <= 0) return std::nullopt;
  return count;
}

std::optional<double> NumberOf(const std::string& text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::string_view FieldName(const Constraint& constraint) {
  return constraint.field == "@hostname" ? std::string_view("hostname") : constraint.field;
}

bool IsPattern(const Constraint& constraint) {
  return constraint.op == ConstraintOperator::kLike || constraint.op == ConstraintOperator::kUnlike;
}

Status CheckOne(const std::string& field, const Constraint& constraint) {
  if (constraint.field.empty()) return FailField(field, "field of the constraint is missing");
  auto wrong = [&](std::string_view expected) {
    return FailField(field, "value of the constraint on {} is \"{}\": expected {}",
                     constraint.field, constraint.value, expected);
  };
  switch (constraint.op) {
    case ConstraintOperator::kUnique:
      if (!constraint.value.empty()) return wrong("none with UNIQUE");
      return {};
    case ConstraintOperator::kCluster:
      return {};
    case ConstraintOperator::kGroupBy:
      if (!constraint.value.empty() && !CountOf(constraint.value)) {
        return wrong("none or a positive count");
      }
      return {};
    case ConstraintOperator::kMaxPer:
      if (!CountOf(constraint.value)) return wrong("a positive count");
      return {};
    case ConstraintOperator::kIs:
      if (constraint.value.empty()) return wrong("a text or a number");
      return {};
    case ConstraintOperator::kLike:
    case ConstraintOperator::kUnlike:
      if (!constraint.value.empty() && CompilePattern(constraint.value)) return {};
      return wrong("a regular expression of at most 256 characters without back-references");
  }
  return {};
}

// Two values that no agent can have at once. CLUSTER takes its value to the letter.
bool Differ(const Constraint& a, const Constraint& b) {
  if (a.value.empty() || b.value.empty()) return false;
  const bool exact = a.op == ConstraintOperator::kCluster && b.op == ConstraintOperator::kCluster;
  return exact ? a.value != b.value : !IsSameValue(a.value, b.value);
}

// No value passes both. Whether an IS with a number passes a pattern depends on how an agent writes
// the number.
bool Contradict(const Constraint& a, const Constraint& b) {
  if (HasOneValue(a) && HasOneValue(b)) return Differ(a, b);
  if (IsPattern(a) && IsPattern(b)) return a.op != b.op && a.value == b.value;
  if (IsPattern(a)) return Contradict(b, a);
  if (!HasOneValue(a) || !IsPattern(b) || a.value.empty()) return false;
  if (a.op == ConstraintOperator::kIs && NumberOf(a.value)) return false;
  const bool matches = std::regex_match(a.value, *CompilePattern(b.value));
  return matches != (b.op == ConstraintOperator::kLike);
}

Status CheckPair(const std::string& field, const Constraint& a, const Constraint& b, int members) {
  if (Contradict(a, b)) {
    return FailField(field, "constraints {} and {} exclude each other: expected a {} that has both",
                     ToText(a), ToText(b), FieldName(a));
  }
  const Constraint& counting = HasOneValue(a) ? b : a;
  if (!HasOneValue(HasOneValue(a) ? a : b)) return {};
  const auto most = MostOfOneValue(counting);
  if (!most || *most >= members) return {};
  return FailField(field, "constraints {} and {} let {} of {} members start: expected all",
                   ToText(a), ToText(b), *most, members);
}

}  // namespace

std::string ToText(const Constraint& constraint) {
  const std::string text = constraint.field + " " + OperatorName(constraint.op);
  return constraint.value.empty() ? text : text + " " + constraint.value;
}

bool IsSameValue(const std::string& a, const std::string& b) {
  if (a == b) return true;
  const auto x = NumberOf(a);
  const auto y = NumberOf(b);
  return x && y && std::llround(*x * 1000) == std::llround(*y * 1000);
}

bool HasOneValue(const Constraint& constraint) {
  return constraint.op == ConstraintOperator::kCluster || constraint.op == ConstraintOperator::kIs;
}

std::optional<int> MostOfOneValue(const Constraint& constraint) {
  switch (constraint.op) {
    case ConstraintOperator::kUnique:
      return 1;
    case ConstraintOperator::kMaxPer:
      return CountOf(constraint.value);
    case ConstraintOperator::kGroupBy:
      return CountOf(constraint.value).value_or(1) > 1 ? std::optional(1) : std::nullopt;
    case ConstraintOperator::kCluster:
    case ConstraintOperator::kLike:
    case ConstraintOperator::kUnlike:
    case ConstraintOperator::kIs:
      return std::nullopt;
  }
  return std::nullopt;
}

Status CheckConstraints(const std::string& field, const std::vector<Constraint>& constraints,
                        int members) {
  for (size_t i = 0; i < constraints.size(); ++i) {
    const std::string own = fmt::format("{}[{}]", field, i);
    KILN_TRY_OK(CheckOne(own, constraints[i]));
    for (size_t k = 0; k < i; ++k) {
      if (FieldName(constraints[k]) != FieldName(constraints[i])) continue;
      KILN_TRY_OK(CheckPair(own, constraints[k], constraints[i], members));
    }
  }
  return {};
}

}  // namespace kiln
