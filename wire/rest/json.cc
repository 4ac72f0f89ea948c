#include "wire/rest/json.h"

#include <array>

namespace kiln::wire {
namespace {

constexpr size_t kDepthMax = 100;

Failure TooWide() {
  return Fail(ErrorCode::kInvalidArgument,
              "too many keys: expected at most {} in an object, and fewer in each of many",
              kKeysMax);
}

// What the parser has no limit for, looked for outside of strings. Deep: printing is recursive.
Status CheckSize(std::string_view text, int64_t key_work_max) {
  size_t depth = 0;
  std::array<int64_t, kDepthMax + 1> keys{};  // by depth, of what is open
  int64_t work = 0;
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\') ++i;
      if (c == '"') quoted = false;
    } else if (c == '"') {
      quoted = true;
    } else if (c == '[' || c == '{') {
      if (++depth > kDepthMax) {
        return Fail(ErrorCode::kInvalidArgument, "nested too deep: expected at most {} levels",
                    kDepthMax);
      }
      keys[depth] = 0;
    } else if (c == ']' || c == '}') {
      if (depth > 0) --depth;
    } else if (c == ':' && (work += keys[depth]++) > key_work_max) {
      return TooWide();
    }
  }
  return {};
}

// "[json.exception.parse_error.101] parse error at line 1, column 2: syntax error ...": from
// "line" on.
std::string Reason(std::string_view what) {
  const size_t at = what.find("line ");
  return std::string(at == std::string_view::npos ? what : what.substr(at));
}

}  // namespace

Result<Json> ParseJson(std::string_view text, int64_t key_work_max) {
  KILN_TRY_OK(CheckSize(text, key_work_max));
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
