// Amounts with their unit in the type, and how people write them.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"

namespace kiln {

struct Bytes {
  int64_t count = 0;

  auto operator<=>(const Bytes&) const = default;
  Bytes operator+(Bytes other) const { return {count + other.count}; }
  Bytes operator-(Bytes other) const { return {count - other.count}; }
  // Mesos counts mem and disk in MB of 2^20 bytes, with three decimals.
  double Megabytes() const { return static_cast<double>(count) / (1 << 20); }
};

constexpr Bytes MiB(int64_t count) { return {count << 20}; }
constexpr Bytes GiB(int64_t count) { return {count << 30}; }

// "512MiB", "1.5GiB", "2GB", "100 kB", "4096B": a number and a unit, which must be there.
Result<Bytes> ParseBytes(std::string_view text);
// The shortest exact form: "512MiB", "1.5GiB", "1000B".
std::string FormatBytes(Bytes bytes);

// "90s", "1.5h", "2d", "500ms", "10min": a number and a unit, which must be there.
Result<Duration> ParseDuration(std::string_view text);
// For people: "1h 5m", "12.3s", "850ms".
std::string FormatDuration(Duration duration);
// "2025-01-31T12:00:00Z".
std::string FormatInstant(Instant instant);

}  // namespace kiln
