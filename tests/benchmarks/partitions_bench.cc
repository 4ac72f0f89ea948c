// How long after a partition has healed work goes on: three schedulers, ZooKeeper and Mesos as real
// processes on machines of their own, cut off from each other in every way. Needs root.
#include <gtest/gtest.h>

#include <map>

#include "tests/benchmarks/report.h"
#include "tests/integration/trio.h"

namespace kiln::bench {
namespace {

using integration::Partition;

int Run(int rounds) {
  auto network = integration::Network::Make(integration::Trio::Machines());
  if (!network) {
    fmt::print(stderr, "partitions: {}\n", network.error().message);
    return 1;
  }
  integration::Trio trio(**network);
  std::vector<Measurement> measurements;
  size_t faults = 0;
  for (const Partition partition : integration::kPartitions) {
    std::vector<double> seconds;
    for (int round = 0; round < rounds; ++round) {
      const auto healed = trio.Suffer(partition, std::chrono::seconds(round % 2 == 0 ? 8 : 2));
      if (!healed) {
        fmt::print(stderr, "partitions: no progress after {}\n{}", NameOf(partition), trio.Logs());
        return 1;
      }
      seconds.push_back(*healed);
    }
    measurements.push_back({fmt::format("progress_after_{}", NameOf(partition)),
                            Quantile(seconds, 1), "s", "what is asked for", 10,
                            fmt::format("the longest of {}, of 8 s and 2 s in turn", rounds)});
    for (const std::string& fault : trio.Faults()) {
      fmt::print(stderr, "partitions: {}: {}\n", NameOf(partition), fault);
      ++faults;
    }
  }
  return ReportFaults(std::move(measurements), faults,
                      "jobs that were acknowledged and lost, and starts beyond one a member");
}

}  // namespace
}  // namespace kiln::bench

int main(int argc, char** argv) {
  testing::GTEST_FLAG(throw_on_failure) = true;
  return kiln::bench::Run(argc > 1 ? std::atoi(argv[1]) : 4);
}
