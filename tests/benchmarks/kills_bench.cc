// What kill -9 of scheduler, executors and local Mesos does to two thousand tasks, and how long it
// takes until all run again.
#include <gtest/gtest.h>

#include <map>

#include "tests/benchmarks/report.h"
#include "tests/integration/kill_rounds.h"

namespace kiln::bench {
namespace {

using integration::Victim;

int Run(int rounds, int tasks) {
  integration::KillRounds work(tasks);
  if (!work.Start()) {
    fmt::print(stderr, "kills: not all tasks start\n{}", work.Logs());
    return 1;
  }
  std::map<Victim, std::vector<double>> seconds;
  size_t faults = 0;
  for (int round = 0; round < rounds; ++round) {
    const Victim victim = integration::kVictims[static_cast<size_t>(round) % 3];
    const auto start = std::chrono::steady_clock::now();
    for (const std::string& fault : work.Round(victim)) {
      fmt::print(stderr, "kills: round {}, {}: {}\n", round, NameOf(victim), fault);
      ++faults;
    }
    seconds[victim].push_back(
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  std::vector<Measurement> measurements;
  for (const auto& [victim, all] : seconds) {
    measurements.push_back({fmt::format("all_run_after_{}", NameOf(victim)),
                            Quantile(all, 0.5),
                            "s",
                            "",
                            {},
                            fmt::format("median of {} kills", all.size())});
  }
  return ReportFaults(std::move(measurements), faults,
                      fmt::format("lost, started twice, or killed though it should live, of {} "
                                  "tasks in {} rounds",
                                  tasks, rounds));
}

}  // namespace
}  // namespace kiln::bench

int main(int argc, char** argv) {
  testing::GTEST_FLAG(throw_on_failure) = true;
  return kiln::bench::Run(argc > 1 ? std::atoi(argv[1]) : 200,
                          argc > 2 ? std::atoi(argv[2]) : 2000);
}
