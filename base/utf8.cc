#include "base/utf8.h"

#include <cstdint>

namespace kiln {
namespace {

bool Between(std::string_view bytes, size_t at, uint8_t low, uint8_t high) {
  if (at >= bytes.size()) return false;
  const auto byte = static_cast<uint8_t>(bytes[at]);
  return byte >= low && byte <= high;
}

bool Continues(std::string_view bytes, size_t at) { return Between(bytes, at, 0x80, 0xbf); }

// The bytes of the character that begins there; 0 if none does.
size_t CharacterLength(std::string_view bytes, size_t at) {
  const auto first = static_cast<uint8_t>(bytes[at]);
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return 0;
  if (first < 0xe0) return Continues(bytes, at + 1) ? 2 : 0;
  // Longer forms of short characters, surrogates, and what lies behind the last character.
  uint8_t low = 0x80, high = 0xbf;
  if (first == 0xe0) low = 0xa0;
  if (first == 0xed) high = 0x9f;
  if (first == 0xf0) low = 0x90;
  if (first == 0xf4) high = 0x8f;
  if (!Between(bytes, at + 1, low, high) || !Continues(bytes, at + 2)) return 0;
  if (first < 0xf0) return 3;
  return Continues(bytes, at + 3) ? 4 : 0;
}

}  // namespace

size_t Utf8Length(std::string_view bytes) {
  size_t at = 0;
  while (at < bytes.size()) {
    const size_t length = CharacterLength(bytes, at);
    if (length == 0) break;
    at += length;
  }
  return at;
}

std::string ToUtf8(std::string bytes) {
  size_t good = Utf8Length(bytes);
  if (good == bytes.size()) return bytes;
  std::string text;
  std::string_view left = bytes;
  for (; good < left.size(); good = Utf8Length(left)) {
    text.append(left.substr(0, good)).append("\xef\xbf\xbd");
    left.remove_prefix(good + 1);
  }
  return text.append(left);
}

}  // namespace kiln
