#include "scheduler/placement/expected_fill.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "scheduler/placement/policy.h"

namespace kiln::scheduler {
namespace {

constexpr size_t kSteps = 512;    // of processors, up to the largest node
constexpr int kHundred = 100;     // parts of a device
constexpr double kHorizon = 100;  // tasks for a node that are expected before the stream ends
constexpr int kKinds = 64;

// How many times as often the task comes to a node that is open to it than to one that is open to
// all: devices of the cluster by those that it could have if it was alone.
double Concentration(const Need& need, const std::vector<Site>& sites) {
  int64_t all = 0;
  int64_t open = 0;
  for (const Site& site : sites) {
    all += int64_t{site.count} * site.shape.devices;
    if (!Fits(need, site.shape)) continue;
    int64_t copies = site.shape.devices / need.devices;
    if (need.cpus_milli > 0) copies = std::min(copies, site.shape.cpus_milli / need.cpus_milli);
    if (need.mem.count > 0) copies = std::min(copies, site.shape.mem.count / need.mem.count);
    open += site.count * copies * need.devices;
  }
  return open == 0 ? 0 : static_cast<double>(all) / static_cast<double>(open);
}

}  // namespace

ExpectedFill::ExpectedFill(const Workload& workload) {
  int64_t cpus_max = 1;
  int devices_max = 0;
  std::array<bool, kKinds> there{};  // kinds that some node has
  for (const Site& site : workload.sites) {
    there[static_cast<size_t>(site.shape.kind)] = true;
    cpus_max = std::max(cpus_max, site.shape.cpus_milli);
    devices_max = std::max<int>(devices_max, site.shape.devices);
  }
  step_milli_ = (cpus_max + static_cast<int64_t>(kSteps) - 1) / static_cast<int64_t>(kSteps);
  double weights = 0;
  for (const Demand& demand : workload.demands) weights += demand.weight;

  std::map<std::vector<bool>, size_t> known;  // kinds that are open to the same tasks share tables
  for (int kind = 0; kind < kKinds; ++kind) {
    std::vector<Task> tasks;
    std::vector<bool> open;
    for (const auto& [need, weight] : workload.demands) {
      open.push_back(there[static_cast<size_t>(kind)] && need.devices > 0 &&
                     (need.kinds >> kind & 1) != 0);
      if (!open.back()) continue;
      const double rate = weight / weights * need.devices * Concentration(need, workload.sites);
      if (rate == 0) continue;
      tasks.push_back({static_cast<int>((need.cpus_milli + step_milli_ - 1) / step_milli_),
                       (need.milli + 9) / 10, need.devices, static_cast<double>(need.milli),
                       static_cast<double>(need.cpus_milli), rate});
    }
    double rates = 0;
    for (const Task& task : tasks) rates += task.rate;
    for (Task& task : tasks) task.rate /= rates;
    const auto [found, created] = known.try_emplace(open, tables_.size());
    table_of_.push_back(found->second);
    if (!created) continue;
    tables_.emplace_back();
    Solve(tasks, devices_max, tables_.back());
  }
}

void ExpectedFill::Solve(const std::vector<Task>& tasks, int devices, Tables& tables) const {
  if (tasks.empty()) {  // nothing is worth anything
    tables.asks.assign(kHundred + 1, 0);
    return;
  }
  tables.asks.push_back(0);
  tables.shared.emplace_back(kSteps + 1);
  for (int free = 1; free <= kHundred; ++free) {
    double asks = 0;
    double rates = 1 / kHorizon;
    for (const Task& task : tasks) {
      if (task.devices > 1 || task.share > free) continue;
      asks += task.rate * (task.cpus_milli + tables.asks[static_cast<size_t>(free - task.share)]);
      rates += task.rate;
    }
    tables.asks.push_back(asks / rates);
    tables.shared.push_back(Shared(tasks, free, tables));
  }
  tables.whole.emplace_back(kSteps + 1);
  for (int count = 1; count <= devices; ++count) {
    tables.whole.push_back(Whole(tasks, count, tables));
  }
}

ExpectedFill::Row ExpectedFill::Shared(const std::vector<Task>& tasks, int free,
                                       const Tables& tables) const {
  Row worth(kSteps + 1);
  Row rates(kSteps + 1, static_cast<float>(1 / kHorizon));
  for (const Task& task : tasks) {
    if (task.devices > 1 || task.share > free) continue;
    const Row& rest = tables.shared[static_cast<size_t>(free - task.share)];
    const auto rate = static_cast<float>(task.rate);
    const auto milli = static_cast<float>(task.milli);
    for (size_t cpus = static_cast<size_t>(task.cpus), left = 0; cpus <= kSteps; ++cpus, ++left) {
      worth[cpus] += rate * (milli + rest[left]);
      rates[cpus] += rate;
    }
  }
  for (size_t cpus = 0; cpus <= kSteps; ++cpus) worth[cpus] /= rates[cpus];
  return worth;
}

ExpectedFill::Row ExpectedFill::Whole(const std::vector<Task>& tasks, int count,
                                      const Tables& tables) const {
  Row worth(kSteps + 1);
  Row rates(kSteps + 1, static_cast<float>(1 / kHorizon));
  for (const Task& task : tasks) {
    if (task.devices > count) continue;
    const Row& others = tables.whole[static_cast<size_t>(count - task.devices)];
    const auto rest = static_cast<size_t>(kHundred - task.share);
    const double asks = tables.asks[rest];
    const double all = asks + (count - task.devices) * tables.asks[kHundred];
    const auto rate = static_cast<float>(task.rate);
    for (size_t cpus = static_cast<size_t>(task.cpus), left = 0; cpus <= kSteps; ++cpus, ++left) {
      double gain = task.milli * task.devices;
      if (task.share < kHundred) {
        const double free = static_cast<double>(left) * static_cast<double>(step_milli_);
        const double part = all > 0 ? free * asks / all : 0;
        gain += At(tables.shared[rest], part) + At(others, free - part);
      } else {
        gain += others[left];
      }
      worth[cpus] += rate * static_cast<float>(gain);
      rates[cpus] += rate;
    }
  }
  for (size_t cpus = 0; cpus <= kSteps; ++cpus) worth[cpus] /= rates[cpus];
  return worth;
}

double ExpectedFill::At(const Row& row, double cpus_milli) const {
  const double steps = cpus_milli / static_cast<double>(step_milli_);
  const auto below = static_cast<size_t>(steps);
  if (below >= kSteps) return row[kSteps];
  const double part = steps - static_cast<double>(below);
  return row[below] * (1 - part) + row[below + 1] * part;
}

double ExpectedFill::Value(const Shape& shape) const {
  const Tables& tables = tables_[table_of_[static_cast<size_t>(shape.kind)]];
  const auto devices = static_cast<size_t>(shape.devices);
  size_t whole = 0;
  double asks = 0;
  while (whole < devices && shape.free[whole] == kWhole) ++whole;
  asks = static_cast<double>(whole) * tables.asks[kHundred];
  for (size_t i = whole; i < devices; ++i) {
    asks += tables.asks[static_cast<size_t>(shape.free[i] / 10)];
  }
  if (asks == 0) return 0;
  const double each = static_cast<double>(shape.cpus_milli) / asks;
  double worth = 0;
  if (whole > 0) {
    worth += At(tables.whole[whole], each * static_cast<double>(whole) * tables.asks[kHundred]);
  }
  for (size_t i = whole; i < devices && shape.free[i] > 0; ++i) {
    const auto free = static_cast<size_t>(shape.free[i] / 10);
    worth += At(tables.shared[free], each * tables.asks[free]);
  }
  return worth;
}

double ExpectedFill::Score(double before, double after) const {
  constexpr double kGrain = static_cast<double>(kWhole) / kHundred;
  return std::round((after - before) / kGrain) * kGrain;
}

const Policy kFill{"fill",
                   [](const Workload& workload) -> std::unique_ptr<Judge> {
                     return std::make_unique<ExpectedFill>(workload);
                   },
                   true};

}  // namespace kiln::scheduler
