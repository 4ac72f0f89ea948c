// A small seeded generator whose stream is the same on every machine.
#pragma once

#include <array>
#include <cstdint>
#include <string>

namespace kiln {

// SplitMix64 (Steele, Lea, Flood, OOPSLA 2014). Satisfies UniformRandomBitGenerator.
class Random {
 public:
  using result_type = uint64_t;
  explicit Random(uint64_t seed) : state_(seed) {}

  static constexpr uint64_t min() { return 0; }
  static constexpr uint64_t max() { return ~uint64_t{0}; }

  uint64_t operator()() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }

  // Uniform in [0, bound); bound > 0. By multiplication (Lemire), so slightly biased for huge
  // bounds.
  uint64_t Below(uint64_t bound) {
    return static_cast<uint64_t>((static_cast<unsigned __int128>((*this)()) * bound) >> 64);
  }
  // Uniform in [0, 1).
  double Unit() { return static_cast<double>((*this)() >> 11) * 0x1.0p-53; }

 private:
  uint64_t state_;
};

// A seed from the operating system.
uint64_t RandomSeed();

// Sixteen bytes of a version 4 UUID (RFC 4122).
std::array<uint8_t, 16> UuidBytes(Random& random);
// The same as text: 8-4-4-4-12 lower-case hexadecimal digits.
std::string UuidText(const std::array<uint8_t, 16>& bytes);

}  // namespace kiln
