#include "tests/mesos/matcher.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <regex>
#include <vector>

namespace kiln::replay {
namespace {

using Found = std::optional<Difference>;

std::string Shorten(std::string text) {
  constexpr size_t kLimit = 300;
  if (text.size() > kLimit) text = text.substr(0, kLimit) + "...";
  return text;
}

Difference Differ(const std::string& path, const Json& expected, const Json& found) {
  return {path, Shorten(expected.dump(-1, ' ', false, Json::error_handler_t::replace)),
          Shorten(found.dump(-1, ' ', false, Json::error_handler_t::replace))};
}

std::string Under(const std::string& path, const std::string& key) {
  return path.empty() ? key : path + "." + key;
}

// Lists of resources as Mesos prints them, and sets in them, with their parts in order of the
// alphabet.
std::string SortResources(const std::string& text) {
  static const std::string kName = "[a-z_]+";
  static const std::string kNotes = "(?:\\((?:[^()]|\\((?:[^()]|\\([^()]*\\))*\\))*\\))*";
  static const std::string kOne =
      kName + kNotes + "(?:\\[[^\\]:]*\\])?:(?:\\[[^\\]]*\\]|\\{[^}]*\\}|-?[0-9.]+)";
  static const std::regex kOneResource(kOne);
  static const std::regex kList(kOne + "(?:; " + kOne + ")+");
  std::string sorted;
  auto rest = text.cbegin();
  for (std::sregex_iterator list(text.begin(), text.end(), kList), end; list != end; ++list) {
    sorted.append(rest, text.cbegin() + list->position());
    const std::string items = list->str();
    std::vector<std::string> parts;
    for (std::sregex_iterator item(items.begin(), items.end(), kOneResource); item != end; ++item) {
      parts.push_back(item->str());
    }
    std::sort(parts.begin(), parts.end());
    sorted += fmt::format("{}", fmt::join(parts, "; "));
    rest = text.cbegin() + list->position() + list->length();
  }
  return sorted.append(rest, text.cend());
}

std::string SortSets(const std::string& text) {
  static const std::regex kSet("\\{([^{}:\"]*)\\}");
  std::string sorted;
  auto rest = text.cbegin();
  for (std::sregex_iterator set(text.begin(), text.end(), kSet), end; set != end; ++set) {
    const bool placeholder = set->position() > 0 && text[set->position() - 1] == '$';
    if (placeholder) continue;
    sorted.append(rest, text.cbegin() + set->position());
    static const std::regex kItem("[^, ]+");
    const std::string items = (*set)[1];
    std::vector<std::string> parts;
    for (std::sregex_iterator item(items.begin(), items.end(), kItem); item != end; ++item) {
      parts.push_back(item->str());
    }
    std::sort(parts.begin(), parts.end());
    sorted += fmt::format("{{{}}}", fmt::join(parts, ","));
    rest = text.cbegin() + set->position() + set->length();
  }
  return sorted.append(rest, text.cend());
}

bool InAnyOrder(const std::string& key, const MatchOptions& options) {
  static const std::set<std::string> kFree = {
      "resources", "attributes", "offers", "executor_ids", "capabilities", "item", "range"};
  if (options.operator_answer) return key != "statuses" && key != "arguments";
  return kFree.contains(key);
}

// Fields that the first update after the start of a container may lack.
bool MayLack(const std::string& parent, const std::string& key, bool first_update) {
  return first_update && parent == "container_status" &&
         (key == "network_infos" || key == "executor_pid");
}

bool TellsOfASignal(const Json& message) {
  const std::string text = message.is_string() ? message.get<std::string>() : "";
  return text == "Command terminated with signal Killed" ||
         text == "Command terminated with signal Terminated";
}

bool IsVersion(const std::string& key) {
  return key == "version" || key == "build_date" || key == "build_time" || key == "build_user";
}

// The keys of an object; first those whose difference explains the others.
std::vector<std::string> TellingFirst(const Json& object) {
  std::vector<std::string> keys;
  for (const char* key : {"type", "state", "reason", "message"}) {
    if (object.contains(key)) keys.emplace_back(key);
  }
  for (const auto& [key, value] : object.items()) {
    if (std::find(keys.begin(), keys.end(), key) == keys.end()) keys.push_back(key);
  }
  return keys;
}

// A time in v1 is a message, which the recordings may show as one number.
bool IsTime(const Json& found) {
  return found.is_object() && found.size() == 1 && found.contains("nanoseconds");
}

class Comparison {
 public:
  Comparison(Bindings& bindings, const MatchOptions& options)
      : bindings_(bindings), options_(options) {}

  Found Compare(const std::string& path, const std::string& key, const Json& expected,
                const Json& found) {
    if (expected.is_object()) return CompareObjects(path, key, expected, found);
    if (expected.is_array()) return CompareLists(path, key, expected, found);
    if (expected.is_string()) return CompareStrings(path, key, expected, found);
    if (expected.is_number() && found.is_number()) {
      const double want = expected.get<double>();
      if (std::abs(want - found.get<double>()) <= 1e-9 * std::max(1.0, std::abs(want))) return {};
      return Differ(path, expected, found);
    }
    if (expected == found) return {};
    return Differ(path, expected, found);
  }

 private:
  Found CompareStrings(const std::string& path, const std::string& key, const Json& expected,
                       const Json& found) {
    const auto& text = expected.get_ref<const std::string&>();
    if (options_.operator_answer && IsVersion(key) && !found.is_null()) return {};
    if (const auto name = Bindings::NameOf(text)) {
      if (*name == "number" && IsTime(found)) return {};
      const bool number_wanted = *name == "timestamp" || *name == "time_ns" || *name == "pid" ||
                                 *name == "number" || name->ends_with("_port");
      auto problem = found.is_string() == number_wanted || found.is_structured()
                         ? std::optional<std::string>(number_wanted ? "a number" : "a string")
                         : bindings_.Match(*name, found);
      if (!problem) return {};
      return Difference{path, fmt::format("{} ({})", text, *problem), Shorten(found.dump())};
    }
    if (!found.is_string()) return Differ(path, expected, found);
    if (options_.nested_kill && TellsOfASignal(expected) && TellsOfASignal(found)) return {};
    auto difference = MatchText(text, found.get<std::string>(), bindings_);
    if (difference) difference->path = path;
    return difference;
  }

  Found CompareObjects(const std::string& path, const std::string& key, const Json& expected,
                       const Json& found) {
    if (!found.is_object()) return Differ(path, expected, found);
    const bool first = options_.first_update || options_.nested_kill ||
                       path.ends_with("statuses[0].container_status");
    for (const std::string& name : TellingFirst(expected)) {
      const Json& value = expected[name];
      if (!found.contains(name)) {
        if (MayLack(key, name, first)) continue;
        return Difference{Under(path, name), Shorten(value.dump()), "nothing"};
      }
      if (auto difference = Compare(Under(path, name), name, value, found[name])) return difference;
    }
    for (const auto& [name, value] : found.items()) {
      if (expected.contains(name) || MayLack(key, name, first)) continue;
      if (key == "container_status" && name == "cgroup_info") continue;
      return Difference{Under(path, name), "nothing", Shorten(value.dump())};
    }
    return {};
  }

  Found CompareLists(const std::string& path, const std::string& key, const Json& expected,
                     const Json& found) {
    if (!found.is_array()) return Differ(path, expected, found);
    if (expected.size() != found.size()) {
      return Difference{path, fmt::format("{} of {}", expected.size(), Shorten(expected.dump())),
                        fmt::format("{} of {}", found.size(), Shorten(found.dump()))};
    }
    if (InAnyOrder(key, options_)) {
      std::vector<bool> used(found.size(), false);
      return Assign(path, expected, found, 0, used);
    }
    for (size_t i = 0; i < expected.size(); ++i) {
      const std::string item = fmt::format("{}[{}]", path, i);
      if (auto difference = Compare(item, "", expected[i], found[i])) return difference;
    }
    return {};
  }

  // Gives each expected item a found one, trying again where bindings clash. The difference that is
  // told is that to the most similar item.
  Found Assign(const std::string& path, const Json& expected, const Json& found, size_t index,
               std::vector<bool>& used) {
    if (index == expected.size()) return {};
    Found nearest;
    for (size_t i = 0; i < found.size(); ++i) {
      if (used[i]) continue;
      const size_t mark = bindings_.Mark();
      const std::string item = fmt::format("{}[{}]", path, index);
      Found difference = Compare(item, "", expected[index], found[i]);
      if (!difference) {
        used[i] = true;
        difference = Assign(path, expected, found, index + 1, used);
        if (!difference) return {};
        used[i] = false;
        nearest = difference;
      }
      bindings_.Return(mark);
      if (!nearest || Alike(expected[index], found[i])) nearest = difference;
    }
    return nearest;
  }

  static bool Alike(const Json& expected, const Json& found) {
    return expected.is_object() && found.is_object() && expected.contains("name") &&
           expected["name"] == found.value("name", Json());
  }

  Bindings& bindings_;
  const MatchOptions& options_;
};

}  // namespace

std::string Describe(const Difference& difference) {
  return fmt::format("{}{}expected {}, found {}", difference.path,
                     difference.path.empty() ? "" : ": ", difference.expected, difference.found);
}

Found Match(const Json& expected, const Json& found, Bindings& bindings,
            const MatchOptions& options) {
  const size_t mark = bindings.Mark();
  auto difference = Comparison(bindings, options).Compare("", "", expected, found);
  if (difference) bindings.Return(mark);
  return difference;
}

Found MatchText(const std::string& expected, const std::string& found, Bindings& bindings) {
  const size_t mark = bindings.Mark();
  if (!bindings.MatchText(expected, found)) return {};
  bindings.Return(mark);
  const auto problem =
      bindings.MatchText(SortSets(SortResources(expected)), SortSets(SortResources(found)));
  if (!problem) return {};
  bindings.Return(mark);
  return Difference{"",
                    *problem == expected
                        ? fmt::format("\"{}\"", Shorten(expected))
                        : fmt::format("\"{}\" ({})", Shorten(expected), Shorten(*problem)),
                    fmt::format("\"{}\"", Shorten(found))};
}

}  // namespace kiln::replay
