// Kiln's own judge of fragmentation: what is free on a node is worth what tasks are expected to
// make of it.
//
// Fragmentation gradient descent asks whether a typical task could use what is left. This judge
// asks how much of it will be used in the end. A node is seen as a small Markov chain: tasks of the
// workload arrive in proportion to their rates, the first that fits takes its part and leaves a
// smaller node, and there is a chance that the stream ends before one fits. With r the rate and g
// the devices of the tasks that fit, and e the rate of the end,
//
//     worth(node) = sum r * (g + worth(node without the task)) / (sum r + e)
//
// which is the expected reward of an absorbing chain (Kemeny and Snell, Finite Markov Chains,
// 1960), solved once for each workload by going from small to large. A task goes where worth
// shrinks least. So a remainder that suits nobody is worth nothing, one for which a common or
// exactly fitting task exists is worth more, and devices without processors beside them are worth
// little.
//
// The state of a whole node would be too large, so its devices are taken apart: each device that is
// shared by itself, those that are free together, and the node's processors divided in proportion
// to what each part is expected to ask for.
//
// Rates count each task as often as it is asked for, times the devices it takes, times how much of
// the cluster is closed to it: tasks of eight devices or of one rare model come to few nodes, and
// so to each of those more often. The rates of what a kind of device may get sum up to one. Memory
// has to fit but is not weighed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "scheduler/placement/judge.h"

namespace kiln::scheduler {

class ExpectedFill : public Judge {
 public:
  explicit ExpectedFill(const Workload& workload);
  double Value(const Shape& shape) const override;
  // In hundredths of a device: the end of the stream makes smaller differences, and what is alike
  // but for them goes to the tightest node.
  double Score(double before, double after) const override;

 private:
  // A task that a kind of device may be asked to run, in the units of the tables.
  struct Task {
    int cpus = 0;   // steps, rounded up
    int share = 0;  // hundredths of one device, rounded up; 100 for whole ones
    int devices = 0;
    double milli = 0;
    double cpus_milli = 0;
    double rate = 0;
  };
  using Row = std::vector<float>;  // worth by the number of steps of processors
  struct Tables {
    std::vector<Row> shared;   // of one device, by the hundredths that are free
    std::vector<Row> whole;    // of so many free devices
    std::vector<double> asks;  // processors that a device with so much free is expected to ask for
  };

  void Solve(const std::vector<Task>& tasks, int devices, Tables& tables) const;
  Row Shared(const std::vector<Task>& tasks, int free, const Tables& tables) const;
  Row Whole(const std::vector<Task>& tasks, int count, const Tables& tables) const;
  double At(const Row& row, double cpus_milli) const;

  int64_t step_milli_ = 1;  // of processors in the tables
  std::vector<Tables> tables_;
  std::vector<size_t> table_of_;  // by kind
};

}  // namespace kiln::scheduler
