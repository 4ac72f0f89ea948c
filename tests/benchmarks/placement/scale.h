// The scheduler's cycle on a cluster of 50,000 agents, a million running members and ten million
// that wait.
#pragma once

#include <vector>

#include "tests/benchmarks/report.h"

namespace kiln::bench {

std::vector<Measurement> MeasureScale();

}  // namespace kiln::bench
