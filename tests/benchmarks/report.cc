#include "tests/benchmarks/report.h"

#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace kiln::bench {
namespace {

// Names and notes are the benchmarks' own text: only the quote and the backslash need care.
std::string Quoted(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + '"';
}

std::string Number(std::optional<double> number) {
  return number && std::isfinite(*number) ? fmt::format("{:.6g}", *number) : "null";
}

std::optional<double> RatioOf(const Measurement& one) {
  if (!one.peer_value || *one.peer_value == 0) return std::nullopt;
  return one.value / *one.peer_value;
}

}  // namespace

void Report(const std::vector<Measurement>& measurements) {
  size_t name_width = 4, peer_width = 4;
  for (const auto& one : measurements) {
    name_width = std::max(name_width, one.name.size());
    peer_width = std::max(peer_width, one.peer.size());
  }
  fmt::print("\n{:<{}}  {:>12}  {:<8}  {:<{}}  {:>12}  {:>8}\n", "name", name_width, "value",
             "unit", "peer", peer_width, "its value", "ratio");
  for (const auto& one : measurements) {
    auto cell = [](std::optional<double> number) {
      return number ? fmt::format("{:.4g}", *number) : "";
    };
    fmt::print("{:<{}}  {:>12}  {:<8}  {:<{}}  {:>12}  {:>8}\n", one.name, name_width,
               cell(one.value), one.unit, one.peer, peer_width, cell(one.peer_value),
               cell(RatioOf(one)));
  }
  fmt::print("\n");
  for (const auto& one : measurements) {
    fmt::print(
        R"({{"name":{},"value":{},"unit":{},"peer":{},"peer_value":{},"ratio":{},"note":{}}})"
        "\n",
        Quoted(one.name), Number(one.value), Quoted(one.unit),
        one.peer.empty() ? "null" : Quoted(one.peer), Number(one.peer_value), Number(RatioOf(one)),
        Quoted(one.note));
  }
  std::fflush(stdout);
}

int ReportFaults(std::vector<Measurement> measurements, size_t faults, const std::string& note) {
  measurements.push_back({.name = "faults", .value = static_cast<double>(faults), .note = note});
  Report(measurements);
  return faults == 0 ? 0 : 1;
}

double Quantile(std::vector<double> samples, double part) {
  if (samples.empty()) return std::nan("");
  const auto rank = static_cast<size_t>(std::ceil(part * static_cast<double>(samples.size())));
  const size_t at = std::clamp<size_t>(rank, 1, samples.size()) - 1;
  std::nth_element(samples.begin(), samples.begin() + static_cast<std::ptrdiff_t>(at),
                   samples.end());
  return samples[at];
}

double ProcessorMilliseconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_nsec) * 1e-6;
}

}  // namespace kiln::bench
