#include "tests/benchmarks/placement/replay.h"

#include <chrono>
#include <memory>
#include <tuple>

#include "scheduler/placement/expected_fill.h"

namespace kiln::bench {

using scheduler::Choice;
using scheduler::ClusterIndex;
using scheduler::Judge;
using scheduler::Need;
using scheduler::Shape;

std::optional<Choice> ChooseBest(ClusterIndex& index, const Need& need) { return index.Best(need); }

Chooser ScanWith(const Judge& judge) {
  return [&judge](ClusterIndex& index, const Need& need) {
    std::optional<Choice> best;
    std::tuple<double, double> best_rank;
    for (int node = 0; node < index.Size(); ++node) {
      const Shape& shape = index.At(node);
      if (!Fits(need, shape)) continue;
      const double before = judge.Value(shape);
      for (int device = 0; device < (need.IsShare() ? shape.devices : 1); ++device) {
        if (need.IsShare() && shape.free[static_cast<size_t>(device)] < need.milli) break;
        const Shape left = Without(shape, need, device);
        const std::tuple rank(judge.Score(before, judge.Value(left)), Tightness(left));
        if (best && rank <= best_rank) continue;
        best = Choice{node, device};
        best_rank = rank;
      }
    }
    return best;
  };
}

Chooser ChooseByChance(Random& random) {
  return [&random](ClusterIndex& index, const Need& need) -> std::optional<Choice> {
    std::vector<int> fitting;
    for (int node = 0; node < index.Size(); ++node) {
      if (Fits(need, index.At(node))) fitting.push_back(node);
    }
    if (fitting.empty()) return std::nullopt;
    const int node = fitting[random.Below(fitting.size())];
    if (!need.IsShare()) return Choice{node, 0};
    uint64_t devices = 0;
    for (const int free : index.At(node).free) devices += free >= need.milli ? 1 : 0;
    return Choice{node, static_cast<int>(random.Below(devices))};
  };
}

Outcome Replay(const std::vector<Shape>& nodes, const std::vector<Need>& tasks, const Judge& judge,
               const Chooser& choose) {
  ClusterIndex index(judge);
  for (const Shape& node : nodes) index.Add(node);
  Outcome outcome{.decisions = tasks.size()};
  int64_t allocated = 0;
  const auto start = std::chrono::steady_clock::now();
  for (const Need& need : tasks) {
    const auto choice = choose(index, need);
    if (!choice) continue;
    index.Take(need, *choice);
    allocated += need.TotalMilli();
  }
  const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
  outcome.seconds = time.count();
  outcome.allocated =
      100 * static_cast<double>(allocated) / static_cast<double>(CapacityMilli(nodes));
  return outcome;
}

Outcome ReplayLearning(const Trace& trace, const std::vector<Need>& tasks) {
  Outcome outcome{.decisions = tasks.size()};
  Trace known{trace.nodes, {}};
  std::vector<Shape> nodes = trace.nodes;
  for (size_t from = 0, to = 0; from < tasks.size(); from = to) {
    to = std::min(tasks.size(), std::max<size_t>(64, 2 * from));
    const scheduler::ExpectedFill judge(WorkloadOf(known));
    ClusterIndex index(judge);
    for (const Shape& node : nodes) index.Add(node);
    for (size_t i = from; i < to; ++i) {
      known.tasks.push_back(tasks[i]);
      const auto choice = index.Best(tasks[i]);
      if (choice) index.Take(tasks[i], *choice);
    }
    for (int node = 0; node < index.Size(); ++node)
      nodes[static_cast<size_t>(node)] = index.At(node);
  }
  const auto all = static_cast<double>(CapacityMilli(trace.nodes));
  outcome.allocated = 100 - 100 * static_cast<double>(CapacityMilli(nodes)) / all;
  return outcome;
}

}  // namespace kiln::bench
