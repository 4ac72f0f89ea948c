// Preemption on full clusters.
#pragma once

#include <vector>

#include "tests/benchmarks/report.h"

namespace kiln::bench {

// Who has to end for a gang of 1,000 members, on 10,000 agents and on 50,000 with a million tasks.
std::vector<Measurement> MeasureEvictions();

}  // namespace kiln::bench
