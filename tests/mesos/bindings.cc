#include "tests/mesos/bindings.h"

#include <fmt/format.h>

#include <algorithm>
#include <regex>

namespace kiln::replay {
namespace {

std::string AsText(const Json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

// "offer" of "offer_12", "agent_id" of "agent1_id_2": placeholders of one family differ in value.
std::string FamilyOf(const std::string& name) {
  static const std::regex kNumbers("_?\\d+");
  if (name.starts_with("stream_id_")) return "stream_id";
  return std::regex_replace(name, kNumbers, "");
}

bool MustDiffer(const std::string& family) {
  static const std::vector<std::string> kFamilies = {
      "framework", "agent_id", "offer", "uuid", "stream_id", "container", "token", "master_id"};
  return std::find(kFamilies.begin(), kFamilies.end(), family) != kFamilies.end();
}

// What the text form of a value of this family looks like; nothing if anything goes.
const std::regex* FormOf(const std::string& family) {
  static const std::map<std::string, std::regex> kForms = {
      {"framework", std::regex(".+-\\d{4,}")},
      {"agent_id", std::regex(".+-S\\d+")},
      {"offer", std::regex(".+-O\\d+")},
      {"uuid", std::regex("[A-Za-z0-9+/]{22}==")},
      {"stream_id", std::regex(".{1,128}")},
      {"container", std::regex("[^/]+")},
      {"token", std::regex("[^.]+\\.[^.]+\\.[^.]+")},
      {"timestamp", std::regex("[1-9]\\d{9}(\\.\\d+)?")},
      {"time_ns", std::regex("\\d{18,19}")},
      {"pid", std::regex("[1-9]\\d*")},
      {"number", std::regex("-?\\d+(\\.\\d+)?(e[+-]?\\d+)?")},
  };
  const auto form = kForms.find(family);
  return form == kForms.end() ? nullptr : &form->second;
}

// Placeholders that stand for a number in JSON, and for another one each time.
bool IsFleeting(const std::string& name) {
  return name == "timestamp" || name == "time_ns" || name == "pid" || name == "number";
}

// The next "${name}" of the text from `from` on: where it begins and ends, and its name.
struct Spot {
  size_t begin = 0;
  size_t end = 0;
  std::string name;
};
std::optional<Spot> NextPlaceholder(std::string_view text, size_t from) {
  const size_t begin = text.find("${", from);
  if (begin == std::string_view::npos) return std::nullopt;
  const size_t end = text.find('}', begin);
  if (end == std::string_view::npos) return std::nullopt;
  return Spot{begin, end + 1, std::string(text.substr(begin + 2, end - begin - 2))};
}

}  // namespace

std::optional<std::string> Bindings::NameOf(std::string_view text) {
  const auto spot = NextPlaceholder(text, 0);
  if (!spot || spot->begin != 0 || spot->end != text.size()) return std::nullopt;
  return spot->name;
}

const Json* Bindings::Find(const std::string& name) const {
  const auto value = values_.find(name);
  return value == values_.end() ? nullptr : &value->second;
}

void Bindings::Set(const std::string& name, Json value) {
  values_[name] = std::move(value);
  trail_.push_back(name);
}

void Bindings::Return(size_t mark) {
  for (; trail_.size() > mark; trail_.pop_back()) values_.erase(trail_.back());
}

std::optional<std::string> Bindings::Match(const std::string& name, const Json& value) {
  const std::string text = AsText(value);
  if (const Json* known = IsFleeting(name) ? nullptr : Find(name)) {
    if (AsText(*known) == text) return std::nullopt;
    return fmt::format("${{{}}} is {}", name, AsText(*known));
  }
  const std::string family = FamilyOf(name);
  if (const std::regex* form = FormOf(family); form && !std::regex_match(text, *form)) {
    return fmt::format("a value of the form of ${{{}}}", name);
  }
  if (IsFleeting(name)) return std::nullopt;
  for (const auto& [other, taken] : values_) {
    if (MustDiffer(family) && FamilyOf(other) == family && AsText(taken) == text) {
      return fmt::format("${{{}}}, which differs from ${{{}}}", name, other);
    }
  }
  Set(name, value);
  return std::nullopt;
}

std::optional<std::string> Bindings::MatchText(const std::string& pattern,
                                               const std::string& text) {
  size_t in_pattern = 0;
  size_t in_text = 0;
  while (true) {
    const auto spot = NextPlaceholder(pattern, in_pattern);
    const std::string literal =
        pattern.substr(in_pattern, spot ? spot->begin - in_pattern : std::string::npos);
    if (text.compare(in_text, literal.size(), literal) != 0) return pattern;
    in_text += literal.size();
    if (!spot) {
      if (in_text == text.size()) return std::nullopt;
      return pattern;
    }
    // The value reaches to the next literal piece of the pattern.
    const auto after = NextPlaceholder(pattern, spot->end);
    const std::string stop =
        pattern.substr(spot->end, after ? after->begin - spot->end : std::string::npos);
    size_t length = text.size() - in_text;
    if (const Json* known = IsFleeting(spot->name) ? nullptr : Find(spot->name)) {
      length = AsText(*known).size();
    } else if (!stop.empty()) {
      const size_t at = after ? text.find(stop, in_text) : text.rfind(stop);
      if (at == std::string::npos || at < in_text) return pattern;
      length = at - in_text;
    }
    if (in_text + length > text.size()) return pattern;
    if (auto problem = Match(spot->name, text.substr(in_text, length))) return problem;
    in_text += length;
    in_pattern = spot->end;
  }
}

std::string Bindings::FillText(const std::string& text, const Inventor& invent) {
  std::string filled;
  size_t done = 0;
  while (const auto spot = NextPlaceholder(text, done)) {
    filled += text.substr(done, spot->begin - done);
    if (!Find(spot->name)) Set(spot->name, invent(spot->name));
    filled += AsText(*Find(spot->name));
    done = spot->end;
  }
  return filled + text.substr(done);
}

Json Bindings::Fill(const Json& json, const Inventor& invent) {
  if (json.is_string()) {
    const auto& text = json.get_ref<const std::string&>();
    const auto name = NameOf(text);
    if (!name) return FillText(text, invent);
    if (!Find(*name)) Set(*name, invent(*name));
    return *Find(*name);
  }
  Json filled = json;
  for (auto& [key, item] : filled.items()) {
    if (!json.is_structured()) break;
    item = key == "offer_ids" ? FillOfferIds(item, invent) : Fill(item, invent);
  }
  return filled;
}

Json Bindings::FillOfferIds(const Json& list, const Inventor& invent) {
  if (!list.is_array()) return Fill(list, invent);
  Json filled = Json::array();
  for (const Json& id : list) {
    const Json value = At(id, "/value");
    const auto name = value.is_string() ? NameOf(value.get<std::string>()) : std::nullopt;
    if (name && same_.contains(*name)) continue;
    filled.push_back(Fill(id, invent));
    const auto part = parts_.find(At(filled.back(), "/value").dump());
    if (part != parts_.end()) filled.push_back({{"value", part->second}});
  }
  return filled;
}

void Bindings::SetPart(const std::string& offer_id, const std::string& part_id) {
  parts_[Json(offer_id).dump()] = part_id;
}

void Bindings::SetSame(const std::string& part, const std::string& offer_id) {
  const auto name = NameOf(part);
  if (!name) return;
  Set(*name, offer_id);
  same_.insert(*name);
}

}  // namespace kiln::replay
