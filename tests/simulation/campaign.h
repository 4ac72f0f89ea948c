// Many seeds, on several threads.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "tests/simulation/simulation.h"

namespace kiln::simulation {

struct Seeds {
  uint64_t first = 1;
  uint64_t count = 1;
  std::vector<FaultKind> faults = {};  // only these, none: all
};

// Runs each once, on so many threads. Each one that is through is given to `done`, in any order and
// one at a time; when that says false, nothing more begins and nothing more is given.
void RunSeeds(const Seeds& seeds, unsigned threads, const RunOptions& options,
              const std::function<bool(const Scenario&, const Outcome&)>& done);

}  // namespace kiln::simulation
