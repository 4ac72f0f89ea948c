// How many seeds of the simulator a second, on all cores: simulation_bench [SEEDS].
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "base/log.h"
#include "tests/benchmarks/report.h"
#include "tests/simulation/campaign.h"

namespace kiln::bench {
namespace {

constexpr uint64_t kSeeds = 1000;

int Main(uint64_t seeds) {
  StartLog("simulation", static_cast<LogLevel>(3));
  const unsigned cores = std::max(1u, std::thread::hardware_concurrency());
  uint64_t failed = 0;
  const auto start = std::chrono::steady_clock::now();
  simulation::RunSeeds({.count = seeds}, cores, {}, [&](const auto&, const auto& outcome) {
    failed += outcome.violation ? 1 : 0;
    return true;
  });
  const double seconds = ToSeconds(std::chrono::steady_clock::now() - start);
  Report(
      {{.name = "simulation_seeds",
        .value = static_cast<double>(seeds) / seconds,
        .unit = "seeds/s",
        .peer = "100,000 seeds an hour",
        .peer_value = 100'000.0 / 3600,
        .note = fmt::format("{} seeds on {} cores, {} with a violation", seeds, cores, failed)}});
  return failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace kiln::bench

int main(int argc, char** argv) {
  return kiln::bench::Main(argc > 1 ? std::strtoull(argv[1], nullptr, 10) : kiln::bench::kSeeds);
}
