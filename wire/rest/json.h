// The door to JSON.
#pragma once

#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/result.h"
#include "wire/rest/json_fwd.h"

namespace kiln::wire {

// Of what strangers send: how many comparisons the keys of all objects may take, as each is
// compared with those before it in its object.
constexpr int64_t kKeyWorkMax = 50'000'000;
// Of one object, as many as that allows.
constexpr int64_t kKeysMax = 10'000;

// UTF-8 JSON text. kInvalidArgument with line and column when it is none, or nested deeper than
// 100 levels, or with more keys than the work allows.
Result<Json> ParseJson(std::string_view text,
                       int64_t key_work_max = std::numeric_limits<int64_t>::max());

// A JSON or YAML document in UTF-8: JSON where it starts with '{' and a '"'. YAML is at most 1 MiB,
// has the types of its core schema; aliases are copied. The keys are bounded by kKeyWorkMax. A key
// that stands twice in a map is an error in both.
Result<Json> ParseDocument(std::string_view text);

// On one line. Bytes that are no UTF-8 become U+FFFD.
std::string DumpJson(const Json& json);
// Indented by two, with a line feed at the end.
std::string PrettyJson(const Json& json);

}  // namespace kiln::wire
