// SHA-256 (FIPS 180-4), piece by piece.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace kiln {

// Threads: one at a time.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  void Update(std::string_view bytes);
  // The 32 bytes of the digest; nothing may be added behind it.
  std::string Finish();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

// Lower-case hexadecimal digits of bytes.
std::string ToHex(std::string_view bytes);
// ToHex of the digest of the whole text.
std::string Sha256Hex(std::string_view bytes);
// The same of a file's bytes. kNotFound for a missing file.
Result<std::string> Sha256OfFile(const std::string& path);
// HMAC-SHA256 (RFC 2104): 32 bytes.
std::string HmacSha256(std::string_view key, std::string_view text);

}  // namespace kiln
