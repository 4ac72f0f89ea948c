#include "model/pattern.h"

namespace kiln {

std::optional<std::regex> CompilePattern(const std::string& text) {
  constexpr size_t kLengthMax = 256;
  if (text.size() > kLengthMax) return std::nullopt;
  try {
    return std::regex(text, std::regex::ECMAScript | std::regex_constants::__polynomial);
  } catch (const std::regex_error&) {
    return std::nullopt;
  }
}

}  // namespace kiln
