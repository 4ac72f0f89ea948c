#include "wire/mesos/base64.h"

#include <cstdint>

#include "wire/net/http.h"

namespace kiln::wire {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kWhiteSpace = " \t\n\v\f\r";

}  // namespace

std::string EncodeBase64(std::string_view bytes) { return net::Base64Encode(bytes); }

Result<std::string> DecodeBase64(std::string_view text) {
  std::string out;
  uint32_t group = 0;
  int bits = 0;
  for (const char c : text) {
    if (c == '=') break;
    if (kWhiteSpace.find(c) != std::string_view::npos) continue;
    const size_t value = kAlphabet.find(c);
    if (value == std::string_view::npos) {
      return Fail(ErrorCode::kInvalidArgument, "Invalid character '{}'", c);
    }
    group = (group << 6 | static_cast<uint32_t>(value)) & 0xffffff;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      out += static_cast<char>(group >> bits & 0xff);
    }
  }
  return out;
}

}  // namespace kiln::wire
