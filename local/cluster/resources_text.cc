// Resources and attributes as text: the agent's flags, and the sentences of a master.
#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "local/cluster/resources.h"

namespace kiln::local {

using mesos::v1::Attribute;
using mesos::v1::Resource;
using mesos::v1::Value;

namespace {

constexpr std::string_view kRevocableMark = "{REV}";

std::string RangesText(const Value::Ranges& ranges) {
  std::string text = "[";
  for (const auto& range : ranges.range()) {
    if (text.size() > 1) text += ", ";
    text += fmt::format("{}-{}", range.begin(), range.end());
  }
  return text + "]";
}

std::string SetText(const Value::Set& set) {
  return fmt::format("{{{}}}", fmt::join(set.item(), ", "));
}

std::string ReservationText(const Resource::ReservationInfo& reservation) {
  std::string text = fmt::format("({},{}", Resource::ReservationInfo::Type_Name(reservation.type()),
                                 reservation.role());
  if (reservation.has_principal()) text += "," + reservation.principal();
  if (reservation.has_labels()) {
    std::string labels;
    for (const auto& label : reservation.labels().labels()) {
      if (!labels.empty()) labels += ", ";
      labels += label.key() + (label.has_value() ? ": " + label.value() : "");
    }
    text += ",{" + labels + "}";
  }
  return text + ")";
}

std::string ValueText(const Resource& resource) {
  switch (resource.type()) {
    case Value::SCALAR:
      return ScalarText(resource.scalar().value());
    case Value::RANGES:
      return RangesText(resource.ranges());
    case Value::SET:
      return SetText(resource.set());
    case Value::TEXT:
      return "";
  }
  return "";
}

std::string WithoutBlanks(std::string_view text) {
  std::string result;
  for (char c : text) {
    if (c != ' ' && c != '\t' && c != '\n') result += c;
  }
  return result;
}

std::vector<std::string> Split(std::string_view text, char at) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    size_t end = text.find(at);
    if (std::string_view part = text.substr(0, end); !part.empty()) parts.emplace_back(part);
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return parts;
}

template <typename Number>
std::optional<Number> ParseNumber(std::string_view text) {
  Number number{};
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

struct ParsedValue {
  Value::Type type = Value::TEXT;
  Value::Scalar scalar;
  Value::Ranges ranges;
  Value::Set set;
  std::string text;
};

Result<ParsedValue> ParseValue(const std::string& text) {
  ParsedValue value;
  if (text.front() == '[') {
    if (text.back() != ']') {
      return Fail(ErrorCode::kInvalidArgument, "ranges '{}' do not end with ']'", text);
    }
    value.type = Value::RANGES;
    for (const std::string& part : Split(std::string_view(text).substr(1, text.size() - 2), ',')) {
      size_t dash = part.find('-');
      auto begin = ParseNumber<uint64_t>(std::string_view(part).substr(0, dash));
      auto end = dash == std::string::npos
                     ? std::nullopt
                     : ParseNumber<uint64_t>(std::string_view(part).substr(dash + 1));
      if (!begin || !end || *begin > *end) {
        return Fail(ErrorCode::kInvalidArgument, "range '{}' is not BEGIN-END", part);
      }
      auto* range = value.ranges.add_range();
      range->set_begin(*begin);
      range->set_end(*end);
    }
    UniteRanges(&value.ranges);
    return value;
  }
  if (text.front() == '{') {
    if (text.back() != '}') {
      return Fail(ErrorCode::kInvalidArgument, "set '{}' does not end with '}}'", text);
    }
    value.type = Value::SET;
    for (const std::string& part : Split(std::string_view(text).substr(1, text.size() - 2), ',')) {
      value.set.add_item(part);
    }
    return value;
  }
  if (auto number = ParseNumber<double>(text)) {
    value.type = Value::SCALAR;
    value.scalar.set_value(*number);
    return value;
  }
  value.text = text;
  return value;
}

}  // namespace

std::string ScalarText(double value) {
  int64_t thousandths =
      std::isfinite(value) && std::abs(value) <= 9.2e15 ? std::llround(value * 1000) : INT64_MIN;
  return fmt::format("{:.15g}", static_cast<double>(thousandths) / 1000);
}

std::string ToText(const Resource& resource) {
  std::string text = resource.name();
  if (resource.has_allocation_info()) {
    text += "(allocated: " + resource.allocation_info().role() + ")";
  }
  if (resource.reservations_size() > 0) {
    std::vector<std::string> parts;
    for (const auto& reservation : resource.reservations()) {
      parts.push_back(ReservationText(reservation));
    }
    text += fmt::format("(reservations: [{}])", fmt::join(parts, ","));
  }
  if (resource.has_disk()) {
    const auto& disk = resource.disk();
    text += "[" + (disk.has_persistence() ? disk.persistence().id() : "") +
            (disk.has_volume() ? ":" + disk.volume().container_path() : "") + "]";
  }
  if (resource.has_revocable()) text += kRevocableMark;
  if (resource.has_shared()) text += "<SHARED>";
  return text + ":" + ValueText(resource);
}

std::string ToText(const Resources& resources) {
  std::string text;
  for (const Resource& item : resources.items()) {
    if (!text.empty()) text += "; ";
    text += ToText(item);
  }
  return text.empty() ? "{}" : text;
}

std::map<std::string, double> ShownScalars(const Resources& resources) {
  std::map<std::string, double> scalars = resources.NonRevocable().Scalars();
  for (const auto& [name, value] : resources.Revocable().Scalars()) {
    scalars[name + "_revocable"] = value;
  }
  return scalars;
}

Result<std::vector<Resource>> ParseResources(std::string_view text) {
  Resources all;
  for (const std::string& part : Split(WithoutBlanks(text), ';')) {
    size_t colon = part.find(':');
    if (colon == std::string::npos || colon == 0 || colon + 1 == part.size()) {
      return Fail(ErrorCode::kInvalidArgument, "resource '{}' is not NAME:VALUE", part);
    }
    KILN_TRY(ParsedValue value, ParseValue(part.substr(colon + 1)));
    if (value.type == Value::TEXT) {
      return Fail(ErrorCode::kInvalidArgument,
                  "resource '{}' is a text, but a number, ranges or a set is expected", part);
    }
    Resource resource;
    std::string name = part.substr(0, colon);
    if (name.ends_with(kRevocableMark)) {
      resource.mutable_revocable();
      name.resize(name.size() - kRevocableMark.size());
    }
    if (size_t open = name.find('('); open != std::string::npos) {
      if (name.back() != ')') {
        return Fail(ErrorCode::kInvalidArgument, "resource '{}' is not NAME(ROLE):VALUE", part);
      }
      resource.set_role(name.substr(open + 1, name.size() - open - 2));
      name.resize(open);
    }
    resource.set_name(name);
    resource.set_type(value.type);
    if (value.type == Value::SCALAR) *resource.mutable_scalar() = value.scalar;
    if (value.type == Value::RANGES) *resource.mutable_ranges() = value.ranges;
    if (value.type == Value::SET) *resource.mutable_set() = value.set;
    UpgradeResource(&resource);
    all += resource;
  }
  return all.items();
}

Result<std::vector<Attribute>> ParseAttributes(std::string_view text) {
  std::vector<Attribute> attributes;
  for (const std::string& part : Split(text, ';')) {
    size_t colon = part.find(':');
    if (colon == std::string::npos || colon == 0 || colon + 1 == part.size()) {
      return Fail(ErrorCode::kInvalidArgument, "attribute '{}' is not NAME:VALUE", part);
    }
    KILN_TRY(ParsedValue value, ParseValue(part.substr(colon + 1)));
    // A Mesos agent does not start with one.
    if (value.type == Value::SET) {
      return Fail(ErrorCode::kInvalidArgument, "attribute '{}' is a set, which is not supported",
                  part);
    }
    Attribute attribute;
    attribute.set_name(part.substr(0, colon));
    attribute.set_type(value.type);
    if (value.type == Value::SCALAR) *attribute.mutable_scalar() = value.scalar;
    if (value.type == Value::RANGES) *attribute.mutable_ranges() = value.ranges;
    if (value.type == Value::TEXT) attribute.mutable_text()->set_value(value.text);
    attributes.push_back(attribute);
  }
  return attributes;
}

}  // namespace kiln::local
