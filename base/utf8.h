// UTF-8 at the doors: records, messages and JSON hold text, strangers send bytes.
#pragma once

#include <string>
#include <string_view>

namespace kiln {

// How many bytes at the beginning are well-formed UTF-8 (Unicode, table 3-7); all of them in a
// text.
size_t Utf8Length(std::string_view bytes);

// The same text with U+FFFD for every byte that belongs to no character.
std::string ToUtf8(std::string bytes);

}  // namespace kiln
