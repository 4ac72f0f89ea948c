// Fragmentation gradient descent: Weng et al., "Beware of Fragmentation: Scheduling GPU-Sharing
// Workloads with Fragmentation Gradient Descent", USENIX ATC 2023.
//
// The fragment of a node for a task is what is free on its devices and the task cannot use: all of
// it when the task does not fit (or needs no device), else the devices with too little left. The
// fragmentation of a node is the mean over the typical tasks, and a task goes where that grows
// least.
//
// As in the authors' simulator, the typical tasks are the most frequent ones that together make up
// 95 %, memory is not weighed, and scores are whole numbers from 0 to 100 by a sigmoid. Ties go to
// the tightest node (the judge of the index): the published text leaves them open, and with chance
// instead the empty nodes that tasks of many devices need are lost.
#pragma once

#include "scheduler/placement/judge.h"

namespace kiln::scheduler {

class Fragmentation : public Judge {
 public:
  explicit Fragmentation(const Workload& workload);
  double Value(const Shape& shape) const override;
  double Score(double before, double after) const override;

 private:
  std::vector<Demand> typical_;  // weights add up to one
};

}  // namespace kiln::scheduler
