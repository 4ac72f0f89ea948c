#include "scheduler/placement/fragmentation.h"

#include <algorithm>
#include <cmath>

#include "scheduler/placement/policy.h"

namespace kiln::scheduler {
namespace {

// Tasks that differ in memory alone are one, the most frequent come first.
std::vector<Demand> Merged(const std::vector<Demand>& demands) {
  std::vector<Demand> merged;
  for (Demand demand : demands) {
    demand.need.mem = {};
    const auto same = std::find_if(merged.begin(), merged.end(),
                                   [&](const Demand& other) { return other.need == demand.need; });
    if (same == merged.end()) {
      merged.push_back(demand);
    } else {
      same->weight += demand.weight;
    }
  }
  std::stable_sort(merged.begin(), merged.end(),
                   [](const Demand& a, const Demand& b) { return a.weight > b.weight; });
  return merged;
}

int Unusable(const Need& need, const Shape& shape, int total) {
  if (need.devices == 0 || !Fits(need, shape)) return total;
  int small = 0;
  for (int i = shape.devices - 1; i >= 0 && shape.free[static_cast<size_t>(i)] < need.milli; --i) {
    small += shape.free[static_cast<size_t>(i)];
  }
  return small;
}

}  // namespace

Fragmentation::Fragmentation(const Workload& workload) {
  constexpr double kCover = 0.95;
  double all = 0;
  for (const Demand& demand : workload.demands) all += demand.weight;
  double covered = 0;
  for (const Demand& demand : Merged(workload.demands)) {
    if (covered >= kCover * all) break;
    covered += demand.weight;
    typical_.push_back(demand);
  }
  for (Demand& demand : typical_) demand.weight /= covered;
}

double Fragmentation::Value(const Shape& shape) const {
  const int total = shape.FreeMilli();
  if (total == 0) return 0;
  double fragments = 0;
  for (const Demand& demand : typical_) {
    fragments += demand.weight * Unusable(demand.need, shape, total);
  }
  return -fragments;
}

double Fragmentation::Score(double before, double after) const {
  return std::trunc(100 / (1 + std::exp((before - after) / kWhole)));
}

const Policy kFgd{"fgd",
                  [](const Workload& workload) -> std::unique_ptr<Judge> {
                    return std::make_unique<Fragmentation>(workload);
                  },
                  false};

}  // namespace kiln::scheduler
