#include "tests/benchmarks/placement/openb.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <map>
#include <sstream>
#include <unordered_map>

#include "base/random.h"

namespace kiln::bench {
namespace {

using scheduler::Need;
using scheduler::Shape;

using Row = std::vector<std::string>;

std::vector<std::string> Split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::stringstream stream(text);
  for (std::string part; std::getline(stream, part, separator);) parts.push_back(part);
  return parts;
}

// Without the heading; short rows are filled up with empty fields.
Result<std::vector<Row>> ReadRows(const std::string& path, size_t columns) {
  std::ifstream file(path);
  if (!file) return Fail(ErrorCode::kNotFound, "{} is not there, expected a file of openb", path);
  std::vector<Row> rows;
  std::string line;
  std::getline(file, line);
  while (std::getline(file, line)) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    rows.push_back(Split(line, ','));
    rows.back().resize(std::max(columns, rows.back().size()));
  }
  return rows;
}

int64_t Number(const std::string& text) {
  int64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

// Numbers for the models of devices as they come.
class Kinds {
 public:
  int16_t Of(const std::string& model) {
    return numbers_.try_emplace(model, static_cast<int16_t>(numbers_.size())).first->second;
  }
  // "V100M16|V100M32"; none: all.
  uint64_t Mask(const std::string& models) {
    if (models.empty()) return ~0ULL;
    uint64_t mask = 0;
    for (const std::string& model : Split(models, '|')) mask |= 1ULL << Of(model);
    return mask;
  }

 private:
  std::map<std::string, int16_t> numbers_;
};

}  // namespace

Result<Trace> ReadOpenb(const std::string& folder, const std::string& workload) {
  Trace trace;
  Kinds kinds;
  KILN_TRY(const auto nodes, ReadRows(folder + "/openb_node_list_gpu_node.csv", 5));
  for (const Row& row : nodes) {
    Shape node{.cpus_milli = Number(row[1]), .mem = MiB(Number(row[2])), .kind = kinds.Of(row[4])};
    node.devices = static_cast<int16_t>(Number(row[3]));
    std::fill_n(node.free.begin(), node.devices, int16_t{scheduler::kWhole});
    trace.nodes.push_back(node);
  }
  KILN_TRY(auto tasks, ReadRows(folder + "/openb_pod_list_" + workload + ".csv", 6));
  std::sort(tasks.begin(), tasks.end());
  for (const Row& row : tasks) {
    Need need{.cpus_milli = Number(row[1]), .mem = MiB(Number(row[2]))};
    need.devices = static_cast<int>(Number(row[3]));
    if (need.devices > 0) need.milli = static_cast<int>(Number(row[4]));
    if (need.devices > 0) need.kinds = kinds.Mask(row[5]);
    trace.tasks.push_back(need);
  }
  return trace;
}

int64_t CapacityMilli(const std::vector<Shape>& nodes) {
  int64_t sum = 0;
  for (const Shape& node : nodes) sum += node.FreeMilli();
  return sum;
}

scheduler::Workload WorkloadOf(const Trace& trace) {
  std::unordered_map<Need, double, scheduler::HashOf> weights;
  for (const Need& need : trace.tasks) weights[need] += 1;
  scheduler::Workload workload;
  for (const Need& need : trace.tasks) {  // in their order, so that runs are alike everywhere
    const auto found = weights.find(need);
    if (found == weights.end()) continue;
    workload.demands.push_back({need, found->second});
    weights.erase(found);
  }
  for (const Shape& node : trace.nodes) {
    auto& sites = workload.sites;
    const auto same = std::find_if(sites.begin(), sites.end(),
                                   [&](const auto& site) { return site.shape == node; });
    if (same == sites.end()) {
      sites.push_back({node, 1});
    } else {
      ++same->count;
    }
  }
  return workload;
}

std::vector<Need> Arrivals(const Trace& trace, double demand, uint64_t seed) {
  Random random(seed);
  std::vector<Need> arrivals = trace.tasks;
  for (size_t i = arrivals.size(); i > 1; --i) {
    std::swap(arrivals[i - 1], arrivals[random.Below(i)]);
  }
  const auto wanted =
      static_cast<int64_t>(demand * static_cast<double>(CapacityMilli(trace.nodes)));
  int64_t asked = 0;
  for (size_t i = 0;; ++i) {
    if (asked >= wanted) {
      arrivals.resize(i);
      return arrivals;
    }
    if (i == arrivals.size()) arrivals.push_back(trace.tasks[random.Below(trace.tasks.size())]);
    asked += arrivals[i].TotalMilli();
  }
}

}  // namespace kiln::bench
