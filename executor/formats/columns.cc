#include "executor/formats/columns.h"

#include <charconv>
#include <cmath>
#include <limits>
#include <unordered_map>

#include "base/nearest.h"

namespace kiln::executor {
namespace {

using Places = std::unordered_map<std::string_view, size_t>;

Failure MissingColumn(const std::string& where, const std::string& name,
                      const std::vector<std::string>& known) {
  const std::string nearest = NearestName(name, known);
  if (!nearest.empty()) {
    return Fail(ErrorCode::kInvalidArgument, "{}: there is no column {}, the nearest is {}", where,
                name, nearest);
  }
  std::string list;
  for (size_t i = 0; i < known.size() && i < 8; ++i) list += (i == 0 ? "" : ", ") + known[i];
  if (known.size() > 8) list += ", ...";
  return Fail(ErrorCode::kInvalidArgument, "{}: there is no column {}, expected one of {}", where,
              name, list);
}

std::string_view Trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

template <typename Number>
Result<Number> ParseNumber(std::string_view cell, HoleKind holes) {
  std::string_view text = Trimmed(cell);
  if (text.empty()) {
    if (holes == HoleKind::kNan) return std::numeric_limits<Number>::quiet_NaN();
    return Fail(ErrorCode::kInvalidArgument, "is empty, expected a number");
  }
  if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);
  Number number = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (code == std::errc::invalid_argument || end != text.data() + text.size()) {
    return Fail(ErrorCode::kInvalidArgument, "is \"{}\", expected a number", cell.substr(0, 64));
  }
  if (code == std::errc::result_out_of_range) {
    // Too small is zero; too large is refused.
    if (std::abs(std::strtold(std::string(text).c_str(), nullptr)) < 1) return Number{0};
    return Fail(ErrorCode::kInvalidArgument, "is {}, expected a number of at most {:.2g}",
                cell.substr(0, 64), std::numeric_limits<Number>::max());
  }
  if (holes == HoleKind::kRefused && !std::isfinite(number)) {
    return Fail(ErrorCode::kInvalidArgument, "is {}, expected a finite number", text);
  }
  return number;
}

}  // namespace

Result<ColumnPlan> PlanColumns(const std::string& where, const std::vector<std::string>& known,
                               const TableSpec& spec) {
  Places places;
  for (size_t i = 0; i < known.size(); ++i) {
    if (known[i].empty()) {
      return Fail(ErrorCode::kInvalidArgument, "{}: column {} has no name, expected one", where,
                  i + 1);
    }
    if (!places.emplace(known[i], i).second) {
      return Fail(ErrorCode::kInvalidArgument,
                  "{}: column {} stands twice, expected each name once", where, known[i]);
    }
  }
  ColumnPlan plan;
  for (auto [name, place] : {std::pair(&spec.target, &plan.target), {&spec.key, &plan.key}}) {
    if (name->empty()) continue;
    const auto found = places.find(*name);
    if (found == places.end()) return MissingColumn(where, *name, known);
    *place = found->second;
  }
  for (size_t i = 0; i < known.size() && spec.columns.empty(); ++i) {
    if (plan.target == i || plan.key == i) continue;
    plan.names.push_back(known[i]);
    plan.features.push_back(i);
  }
  for (const std::string& name : spec.columns) {
    const auto found = places.find(name);
    if (found == places.end()) return MissingColumn(where, name, known);
    plan.names.push_back(name);
    plan.features.push_back(found->second);
  }
  return plan;
}

std::vector<std::string> NumberedColumns(size_t count) {
  std::vector<std::string> names(count);
  for (size_t i = 0; i < count; ++i) names[i] = std::to_string(i);
  return names;
}

Result<float> ParseFloat(std::string_view cell, HoleKind holes) {
  return ParseNumber<float>(cell, holes);
}

Result<double> ParseDouble(std::string_view cell, HoleKind holes) {
  return ParseNumber<double>(cell, holes);
}

std::string NumberText(double number) {
  char text[64];
  const auto end = std::to_chars(text, text + sizeof text, number).ptr;
  return {text, end};
}

}  // namespace kiln::executor
