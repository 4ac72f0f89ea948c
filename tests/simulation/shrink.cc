// A failing scenario made smaller.
#include <algorithm>

#include "tests/simulation/simulation.h"

namespace kiln::simulation {
namespace {

// Whoever waits for a job that is left out is left out too.
void DropOrphans(Scenario& scenario) {
  for (bool dropped = true; dropped;) {
    const size_t before = scenario.loads.size();
    std::erase_if(scenario.loads, [&](const Load& load) {
      return std::any_of(load.job.after.begin(), load.job.after.end(), [&](const auto& name) {
        return std::none_of(scenario.loads.begin(), scenario.loads.end(),
                            [&](const Load& other) { return other.job.name == name; });
      });
    });
    dropped = scenario.loads.size() < before;
  }
}

// Leaves out stretches of a list, the longest first, as long as `fails` holds.
template <typename List, typename Fails>
void Thin(Scenario& scenario, List Scenario::*list, const Fails& fails) {
  for (size_t length = (scenario.*list).size(); length > 0; length /= 2) {
    for (size_t from = 0; from < (scenario.*list).size();) {
      Scenario smaller = scenario;
      List& entries = smaller.*list;
      const auto begin = entries.begin() + static_cast<ptrdiff_t>(from);
      const size_t count = std::min(length, entries.size() - from);
      entries.erase(begin, begin + static_cast<ptrdiff_t>(count));
      DropOrphans(smaller);
      if (fails(smaller)) {
        scenario = std::move(smaller);
      } else {
        from += length;
      }
    }
  }
}

}  // namespace

Scenario Shrink(Scenario scenario, const Violation& violation, const RunOptions& options) {
  const auto fails = [&](const Scenario& smaller) {
    const Outcome outcome = Run(smaller, {options.canary, false});
    return outcome.violation && outcome.violation->invariant == violation.invariant;
  };
  for (size_t before = 0; before != scenario.faults.size() + scenario.loads.size();) {
    before = scenario.faults.size() + scenario.loads.size();
    Thin(scenario, &Scenario::faults, fails);
    Thin(scenario, &Scenario::loads, fails);
  }
  return scenario;
}

}  // namespace kiln::simulation
