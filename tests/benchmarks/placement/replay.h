// Places the tasks of a trace one by one; none is ever removed, and one that does not fit is
// dropped.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "base/random.h"
#include "scheduler/placement/index.h"
#include "tests/benchmarks/placement/openb.h"

namespace kiln::bench {

// Where a task goes; nothing if it fits nowhere.
using Chooser = std::function<std::optional<scheduler::Choice>(scheduler::ClusterIndex&,
                                                               const scheduler::Need&)>;

// As the index has it.
std::optional<scheduler::Choice> ChooseBest(scheduler::ClusterIndex& index,
                                            const scheduler::Need& need);
// By a look at every node, as schedulers do that have no index.
Chooser ScanWith(const scheduler::Judge& judge);
// Any node that fits, and any of its devices that does.
Chooser ChooseByChance(Random& random);

struct Outcome {
  double allocated = 0;  // of the devices, in percent
  double seconds = 0;    // of all decisions
  size_t decisions = 0;
};

Outcome Replay(const std::vector<scheduler::Shape>& nodes,
               const std::vector<scheduler::Need>& tasks, const scheduler::Judge& judge,
               const Chooser& choose);

// The same by a judge of expected fill that knows only the tasks that have come: it is made anew
// whenever their number has doubled.
Outcome ReplayLearning(const Trace& trace, const std::vector<scheduler::Need>& tasks);

}  // namespace kiln::bench
