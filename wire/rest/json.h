// The door to JSON.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/result.h"
#include "wire/rest/json_fwd.h"

namespace kiln::wire {

// How many comparisons with the keys before them the keys of all objects may take, as each of an
// object is compared with those before it.
constexpr int64_t kKeyWorkMax = 50'000'000;
// Of one object, as many as that allows.
constexpr int64_t kKeysMax = 10'000;

// UTF-8 JSON text. kInvalidArgument with line and column when it is none, or nested deeper than
// 100 levels, or with more keys than kKeyWorkMax allows.
Result<Json> ParseJson(std::string_view text);

// A JSON or YAML document in UTF-8: JSON where it starts with '{' and a '"'. YAML is at most 1 MiB,
// has the types of its core schema; aliases are copied. A key that stands twice in a map is an
// error in both.
Result<Json> ParseDocument(std::string_view text);

// On one line. Bytes that are no UTF-8 become U+FFFD.
std::string DumpJson(const Json& json);
// Indented by two, with a line feed at the end.
std::string PrettyJson(const Json& json);

}  // namespace kiln::wire
