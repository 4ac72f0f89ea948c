// The openb trace (Weng et al., USENIX ATC 2023): nodes of a production GPU cluster, and tasks.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "scheduler/placement/judge.h"

namespace kiln::bench {

struct Trace {
  std::vector<scheduler::Shape> nodes;
  std::vector<scheduler::Need> tasks;  // in the order of their names
};

// Reads openb_node_list_gpu_node.csv and openb_pod_list_<workload>.csv of the folder.
Result<Trace> ReadOpenb(const std::string& folder, const std::string& workload);

int64_t CapacityMilli(const std::vector<scheduler::Shape>& nodes);

// What a judge is told of a trace: every node empty, and every task as often as it is in the list.
scheduler::Workload WorkloadOf(const Trace& trace);

// The arrivals of one run: the tasks shuffled, then drawn from the list again and again until they
// ask for `demand` of the nodes' devices; cut there when they ask for more.
std::vector<scheduler::Need> Arrivals(const Trace& trace, double demand, uint64_t seed);

}  // namespace kiln::bench
