// Whole plans of the daemon's placement over a cluster of many agents.
#pragma once

#include <vector>

#include "tests/benchmarks/report.h"

namespace kiln::bench {

// A gang of 1,000 members on 10,000 agents, and the reasons of 100,000 members that wait there.
std::vector<Measurement> MeasurePlans();

}  // namespace kiln::bench
