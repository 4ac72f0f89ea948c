#include "base/random.h"

#include <fmt/format.h>

#include <random>

namespace kiln {

uint64_t RandomSeed() {
  std::random_device device;
  return (uint64_t{device()} << 32) ^ device();
}

std::array<uint8_t, 16> UuidBytes(Random& random) {
  std::array<uint8_t, 16> bytes;
  for (size_t half = 0; half < 2; ++half) {
    uint64_t word = random();
    for (size_t i = 0; i < 8; ++i, word >>= 8) bytes[half * 8 + i] = static_cast<uint8_t>(word);
  }
  bytes[6] = static_cast<uint8_t>((bytes[6] & 0x0f) | 0x40);
  bytes[8] = static_cast<uint8_t>((bytes[8] & 0x3f) | 0x80);
  return bytes;
}

std::string UuidText(const std::array<uint8_t, 16>& bytes) {
  std::string text;
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += fmt::format("{:02x}", bytes[i]);
  }
  return text;
}

}  // namespace kiln
