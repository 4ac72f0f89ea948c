#include "model/units.h"

#include <array>
#include <ctime>
#include <limits>
#include <optional>

namespace kiln {
namespace {

struct Unit {
  std::string_view name;
  int64_t size;
};

constexpr std::array<Unit, 10> kByteUnits = {{{"B", 1},
                                              {"kB", 1000},
                                              {"KB", 1000},
                                              {"MB", 1000 * 1000},
                                              {"GB", 1000 * 1000 * 1000},
                                              {"TB", int64_t{1000} * 1000 * 1000 * 1000},
                                              {"KiB", 1 << 10},
                                              {"MiB", 1 << 20},
                                              {"GiB", 1 << 30},
                                              {"TiB", int64_t{1} << 40}}};

constexpr std::array<Unit, 8> kTimeUnits = {{{"ns", 1},
                                             {"us", 1000},
                                             {"ms", 1000 * 1000},
                                             {"s", 1000 * 1000 * 1000},
                                             {"m", 60'000'000'000},
                                             {"min", 60'000'000'000},
                                             {"h", 3'600'000'000'000},
                                             {"d", 86'400'000'000'000}}};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// digits.digits times size, rounded down to a whole; nothing on overflow or too many digits.
std::optional<int64_t> Scale(std::string_view number, int64_t size) {
  unsigned __int128 value = 0;
  unsigned __int128 divisor = 1;
  bool fraction = false;
  for (char c : number) {
    if (c == '.') {
      fraction = true;
      continue;
    }
    if (value > std::numeric_limits<int64_t>::max() / 10) return std::nullopt;
    value = value * 10 + static_cast<unsigned>(c - '0');
    if (fraction) divisor *= 10;
  }
  const unsigned __int128 scaled = value * static_cast<uint64_t>(size) / divisor;
  if (scaled > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) return std::nullopt;
  return static_cast<int64_t>(scaled);
}

// A number and one of the units; `what` and `example` are for the error.
template <size_t N>
Result<int64_t> ParseAmount(std::string_view text, const std::array<Unit, N>& units,
                            std::string_view what, std::string_view example) {
  auto expected = [&] {
    std::string names;
    for (const Unit& unit : units) names += (names.empty() ? "" : ", ") + std::string(unit.name);
    return fmt::format("expected a number and a unit of {}, as in \"{}\"", names, example);
  };
  if (text.starts_with('-')) {
    return Fail(ErrorCode::kInvalidArgument, "{} is \"{}\", negative: {}", what, text, expected());
  }
  size_t end = 0;
  int points = 0;
  while (end < text.size() && (IsDigit(text[end]) || (text[end] == '.' && points++ == 0))) ++end;
  const std::string_view number = text.substr(0, end);
  std::string_view name = text.substr(end);
  if (number.empty() || !IsDigit(number.front()) || !IsDigit(number.back())) {
    return Fail(ErrorCode::kInvalidArgument, "{} is \"{}\": {}", what, text, expected());
  }
  if (name.starts_with(' ')) name.remove_prefix(1);
  for (const Unit& unit : units) {
    if (unit.name != name) continue;
    if (auto value = Scale(number, unit.size)) return *value;
    return Fail(ErrorCode::kInvalidArgument, "{} is \"{}\", too large: expected below 2^63", what,
                text);
  }
  return Fail(
      ErrorCode::kInvalidArgument, "{} is \"{}\", {}: {}", what, text,
      name.empty() ? std::string("without a unit") : fmt::format("with unknown unit \"{}\"", name),
      expected());
}

// value/size with at most three decimals, when that is exact.
std::optional<std::string> ExactQuotient(int64_t value, int64_t size) {
  const auto thousandths = static_cast<__int128>(value) * 1000;
  if (thousandths % size != 0) return std::nullopt;
  const auto whole = static_cast<int64_t>(value / size);
  auto rest = static_cast<int>(thousandths / size - static_cast<__int128>(whole) * 1000);
  std::string text = std::to_string(whole);
  if (rest == 0) return text;
  std::string decimals = fmt::format("{:03}", rest);
  while (decimals.back() == '0') decimals.pop_back();
  return text + "." + decimals;
}

}  // namespace

Result<Bytes> ParseBytes(std::string_view text) {
  KILN_TRY(int64_t count, ParseAmount(text, kByteUnits, "size", "512MiB"));
  return Bytes{count};
}

std::string FormatBytes(Bytes bytes) {
  if (bytes.count < 0) return "-" + FormatBytes({-bytes.count});
  std::string best = std::to_string(bytes.count) + "B";
  if (bytes.count == 0) return best;
  for (std::string_view name : {"KiB", "MiB", "GiB", "TiB"}) {
    for (const Unit& unit : kByteUnits) {
      if (unit.name != name) continue;
      if (bytes.count < unit.size) continue;
      auto number = ExactQuotient(bytes.count, unit.size);
      if (number && number->size() + name.size() <= best.size()) best = *number + std::string(name);
    }
  }
  return best;
}

Result<Duration> ParseDuration(std::string_view text) {
  KILN_TRY(int64_t count, ParseAmount(text, kTimeUnits, "time", "90s"));
  return Duration(count);
}

std::string FormatDuration(Duration duration) {
  const int64_t count = duration.count();
  if (count < 0) return "-" + FormatDuration(-duration);
  const int64_t seconds = count / 1'000'000'000;
  if (count < 1'000'000'000) return fmt::format("{}ms", count / 1'000'000);
  if (seconds < 60) return fmt::format("{}.{}s", seconds, count / 100'000'000 % 10);
  if (seconds < 3600) return fmt::format("{}m {}s", seconds / 60, seconds % 60);
  if (seconds < 86400) return fmt::format("{}h {}m", seconds / 3600, seconds / 60 % 60);
  return fmt::format("{}d {}h", seconds / 86400, seconds / 3600 % 24);
}

std::string FormatInstant(Instant instant) {
  const time_t seconds = instant.nanoseconds / 1'000'000'000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

}  // namespace kiln
