#include "tests/benchmarks/placement/evictions.h"

#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <deque>

#include "base/random.h"
#include "scheduler/placement/place.h"
#include "scheduler/placement/preemption.h"

namespace kiln::bench {
namespace {

using scheduler::FindEviction;
using scheduler::kFill;
using scheduler::Snapshot;

constexpr int kMembers = 1'000;
constexpr int kRounds = 7;
constexpr int kDevices = 8;  // of an agent
constexpr Instant kNow{1'000'000'000'000'000'000};

// Agents that are full: half of their devices are held by members of gangs, the others by jobs of
// one member; what else runs there is of a higher priority.
class FullCluster {
 public:
  FullCluster(int agents, int tasks_each) {
    for (int i = 0; i < agents; ++i) AddAgent(i);
    for (int i = 0; i < agents; ++i) {
      if (i % 8 == 0) AddJob(8, 20);  // a gang over eight agents
      Job& gang = jobs_.back();
      Start(gang, i % 8, i, Devices(i, 0, kDevices / 2));
      jobs_.push_front(SmallJob(fmt::format("single-{}", i), 30));
      Start(jobs_.front(), 0, i, Devices(i, kDevices / 2, kDevices));
    }
    for (int t = 2; t < tasks_each; ++t) {
      jobs_.push_front(SmallJob(fmt::format("other-{}", t), 90));
      for (int i = 0; i < agents; ++i) Start(jobs_.front(), i, i, {.cpus_milli = 1'000});
    }
    snapshot_.agents = &agents_;
    snapshot_.sharing = {.settings = &roles_};
    for (const auto& [id, agent] : agents_) {
      snapshot_.offers.push_back({.agent = agent, .role = "*", .resources = {.mem = GiB(1)}});
    }
    snapshot_.sharing->total = Times({64'000, GiB(256).count, 0, 8'000}, agents);
    gang_ = {.name = "gang",
             .role = "*",
             .priority = 50,
             .groups = {{.name = "g", .count = kMembers, .cpus_milli = 8'000, .mem = GiB(8)}},
             .gang_members = kMembers};
    gang_.groups[0].gpus.count = kDevices / 2;
    gang_.groups[0].work = CommandWork{.shell = "true"};
  }

  // The median of some rounds; nothing if nobody is found.
  double EvictionMilliseconds() const {
    return Median([&] {
      const auto eviction = FindEviction(snapshot_, Waiting(), running_, {}, kFill, kNow);
      return eviction && eviction->members == kMembers;
    });
  }

  // The same gang on the same agents, with nothing on them.
  double PlaceMilliseconds() const {
    Snapshot empty{.jobs = {Waiting()}};
    for (const auto& [id, agent] : agents_) {
      Resources all{.cpus_milli = 64'000, .mem = GiB(256)};
      for (const Gpu& gpu : agent.gpus) all += {.gpu_ids = {gpu.id}};
      empty.offers.push_back({.agent = agent, .role = "*", .resources = std::move(all)});
    }
    return Median([&] { return Place(empty, kFill).launches.size() == kMembers; });
  }

 private:
  static AgentId NameOf(int agent) { return {fmt::format("agent-{:05}", agent)}; }

  void AddAgent(int number) {
    Agent agent{.id = NameOf(number), .hostname = NameOf(number).text};
    for (int i = 0; i < kDevices; ++i) {
      agent.gpus.push_back(
          {.id = {fmt::format("GPU-{}-{}", number, i)}, .model = "A100", .memory = GiB(40)});
    }
    agents_.emplace(agent.id, std::move(agent));
  }

  static Job SmallJob(const std::string& name, int priority) {
    return {.name = name,
            .role = "*",
            .priority = priority,
            .groups = {{.name = "g", .work = CommandWork{.shell = "true"}}}};
  }
  void AddJob(int members, int priority) {
    jobs_.push_back(SmallJob(fmt::format("gang-{}", jobs_.size()), priority));
    jobs_.back().groups[0].count = jobs_.back().gang_members = members;
  }

  static Resources Devices(int agent, int from, int to) {
    Resources resources{.cpus_milli = 16'000, .mem = GiB(64)};
    for (int i = from; i < to; ++i)
      resources += {.gpu_ids = {{fmt::format("GPU-{}-{}", agent, i)}}};
    return resources;
  }

  void Start(const Job& job, int index, int agent, Resources resources) {
    const Instant started = kNow - std::chrono::seconds(100 + random_() % 100'000);
    tasks_.push_back({.id = {fmt::format("{}.g.{}", job.name, index)},
                      .member = {job.name, "g", index},
                      .agent = NameOf(agent),
                      .resources = std::move(resources),
                      .state = TaskState::kRunning,
                      .launched = started,
                      .started = started});
    running_.Start(job, "*", 0, tasks_.back());
  }

  scheduler::WaitingJob Waiting() const {
    return {.job = &gang_,
            .role = "*",
            .groups = {{&gang_.groups[0], scheduler::MemberRange::First(kMembers), {}, true}},
            .gang_needed = kMembers};
  }

  template <typename Round>
  static double Median(Round round) {
    std::vector<double> times;
    for (int i = 0; i < kRounds; ++i) {
      const double start = ProcessorMilliseconds();
      if (!round()) return std::nan("");
      times.push_back(ProcessorMilliseconds() - start);
    }
    return Quantile(std::move(times), 0.5);
  }

  Random random_{1};
  std::map<AgentId, Agent> agents_;
  std::deque<Job> jobs_;
  std::deque<Task> tasks_;
  RoleSettings roles_;
  scheduler::Running running_;
  Snapshot snapshot_;
  Job gang_;
};

}  // namespace

std::vector<Measurement> MeasureEvictions() {
  std::vector<Measurement> measurements;
  const std::string gang =
      "a gang of 1,000 with four devices each, median of seven; who has them are members of gangs "
      "and jobs of one member";
  {
    const FullCluster cluster(10'000, 8);
    const double eviction = cluster.EvictionMilliseconds();
    measurements.push_back({"eviction_10000_agents", eviction, "ms", "KAI, reclaim of one GPU",
                            13'900, gang + "; 80,000 tasks; published by KAI on 500 nodes"});
    measurements.push_back({"eviction_10000_agents_place", eviction, "ms",
                            "the same gang on the empty cluster", cluster.PlaceMilliseconds(),
                            "a plan of Place in the same run: what the decision costs without "
                            "anybody to evict"});
  }
  const FullCluster large(50'000, 20);
  measurements.push_back({"eviction_50000_agents", large.EvictionMilliseconds(), "ms",
                          "KAI, reclaim of one GPU", 13'900, gang + "; a million tasks"});
  return measurements;
}

}  // namespace kiln::bench
