// One simulation: a whole cluster in one thread and no time at all.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "tests/simulation/scenario.h"
#include "tests/simulation/stage.h"

namespace kiln::simulation {

struct Outcome {
  std::optional<Violation> violation;
  uint64_t last_random = 0;  // equal for two runs of a scenario
  uint64_t steps = 0;
  Duration time{};                  // that has passed in there
  std::deque<std::string> history;  // when it was recorded
};

struct RunOptions {
  Canary canary = Canary::kNone;
  bool record = false;
};

// Runs it to its end or to the first violation. Threads: any, each with its own.
Outcome Run(const Scenario& scenario, const RunOptions& options = {});

// A smaller scenario with the same violation: faults and jobs without which it still comes are left
// out.
Scenario Shrink(Scenario scenario, const Violation& violation, const RunOptions& options);

}  // namespace kiln::simulation
