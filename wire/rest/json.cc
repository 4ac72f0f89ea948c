#include "wire/rest/json.h"

namespace kiln::wire {
namespace {

constexpr int kDepthMax = 100;

// Deeper than the limit, brackets in strings left out: the parser has no limit of its own and
// printing is recursive.
bool TooDeep(std::string_view text) {
  int depth = 0;
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\') ++i;
      if (c == '"') quoted = false;
    } else if (c == '"') {
      quoted = true;
    } else if (c == '[' || c == '{') {
      if (++depth > kDepthMax) return true;
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return false;
}

// "[json.exception.parse_error.101] parse error at line 1, column 2: syntax error ...": from
// "line" on.
std::string Reason(std::string_view what) {
  const size_t at = what.find("line ");
  return std::string(at == std::string_view::npos ? what : what.substr(at));
}

}  // namespace

Result<Json> ParseJson(std::string_view text) {
  if (TooDeep(text)) {
    return Fail(ErrorCode::kInvalidArgument, "nested too deep: expected at most {} levels",
                kDepthMax);
  }
  try {
    return Json::parse(text);
  } catch (const Json::exception& error) {
    return Fail(ErrorCode::kInvalidArgument, "no JSON: {}", Reason(error.what()));
  }
}

std::string DumpJson(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string PrettyJson(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace kiln::wire
