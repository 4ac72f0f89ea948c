// Regular expressions that users write.
#pragma once

#include <optional>
#include <regex>
#include <string>

namespace kiln {

// ECMAScript of at most 256 characters without back-references; nothing when the text is none.
// Bounded, because reading a long one exhausts the stack; matched in time that grows with the
// text's length and not with its power, because an agent's name may be long.
std::optional<std::regex> CompilePattern(const std::string& text);

}  // namespace kiln
