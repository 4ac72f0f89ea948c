// MatchShape: answers of which only names and JSON types matter.
#include <fmt/format.h>

#include <algorithm>

#include "tests/mesos/matcher.h"

namespace kiln::replay {
namespace {

using Found = std::optional<Difference>;

bool IsTypeName(const Json& shape) {
  return shape == "string" || shape == "number" || shape == "bool" || shape == "null";
}

bool HasType(const Json& type, const Json& found) {
  if (type == "string") return found.is_string();
  if (type == "number") return found.is_number();
  if (type == "bool") return found.is_boolean();
  return found.is_null();
}

std::string Under(const std::string& path, const std::string& key) {
  return path.empty() ? key : path + "." + key;
}

// The keys of an object, or the names of the objects in a list.
std::set<std::string> NamesIn(const Json& found) {
  std::set<std::string> names;
  for (const auto& [key, value] : found.items()) {
    if (found.is_object()) names.insert(key);
    if (found.is_array() && value.is_object()) names.insert(value.value("name", ""));
  }
  return names;
}

Found Compare(const std::string& path, const Json& shape, const Json& found);

Found CompareNames(const std::string& path, const Json& shape, const Json& found) {
  const std::set<std::string> names = NamesIn(found);
  for (const Json& name : shape) {
    if (names.contains(name)) continue;
    return Difference{path, fmt::format("the name {}", name.dump()), "nothing"};
  }
  return {};
}

Found CompareList(const std::string& path, const Json& shape, const Json& found) {
  const bool names = !shape.empty() && shape[0].is_string() && !IsTypeName(shape[0]);
  if (names) return CompareNames(path, shape, found);
  if (!found.is_array()) return Difference{path, "a list", found.dump()};
  if (shape.empty()) return {};
  // The shape is that of one of the items.
  Found difference = Difference{path, "a list with items", "none"};
  for (size_t i = 0; i < found.size(); ++i) {
    const auto other = Compare(fmt::format("{}[{}]", path, i), shape[0], found[i]);
    if (!other) return {};
    if (i == 0) difference = other;
  }
  return difference;
}

Found CompareObject(const std::string& path, const Json& shape, const Json& found) {
  if (!found.is_object()) return Difference{path, "an object", found.dump()};
  for (const auto& [key, value] : shape.items()) {
    if (!found.contains(key)) return Difference{Under(path, key), value.dump(), "nothing"};
    if (auto difference = Compare(Under(path, key), value, found[key])) return difference;
  }
  // Flags, and metrics given with their values, are a choice of what is there.
  const bool choice =
      path == "flags" || path.ends_with(".flags") ||
      std::any_of(shape.begin(), shape.end(), [](const Json& value) { return value.is_number(); });
  for (const auto& [key, value] : found.items()) {
    if (choice || shape.contains(key)) continue;
    return Difference{Under(path, key), "nothing", value.dump()};
  }
  return {};
}

Found Compare(const std::string& path, const Json& shape, const Json& found) {
  if (shape.is_object()) return CompareObject(path, shape, found);
  if (shape.is_array()) return CompareList(path, shape, found);
  if (shape.is_string() && shape.get<std::string>().starts_with("as in ")) {
    if (found.is_object()) return {};
    return Difference{path, "an object", found.dump()};
  }
  if (IsTypeName(shape)) {
    if (HasType(shape, found)) return {};
    return Difference{path, fmt::format("a {}", shape.get<std::string>()), found.dump()};
  }
  Bindings none;
  auto difference = Match(shape, found, none);
  if (difference) difference->path = path;
  return difference;
}

}  // namespace

std::optional<Difference> MatchShape(const Json& shape, const Json& found) {
  return Compare("", shape, found);
}

}  // namespace kiln::replay
