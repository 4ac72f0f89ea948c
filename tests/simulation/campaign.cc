#include "tests/simulation/campaign.h"

#include <atomic>
#include <mutex>
#include <thread>

namespace kiln::simulation {

void RunSeeds(const Seeds& seeds, unsigned threads, const RunOptions& options,
              const std::function<bool(const Scenario&, const Outcome&)>& done) {
  std::atomic<uint64_t> next = 0;
  std::atomic<bool> over = false;
  std::mutex mutex;  // of `done`
  const auto take = [&] {
    for (uint64_t i; !over && (i = next++) < seeds.count;) {
      const Scenario scenario = MakeScenario(seeds.first + i, seeds.faults);
      const Outcome outcome = Run(scenario, options);
      const std::lock_guard lock(mutex);
      if (!over) over = !done(scenario, outcome);
    }
  };
  std::vector<std::jthread> crew;
  for (unsigned i = 0; i < threads; ++i) crew.emplace_back(take);
}

}  // namespace kiln::simulation
