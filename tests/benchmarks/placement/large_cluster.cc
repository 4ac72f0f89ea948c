#include "tests/benchmarks/placement/large_cluster.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

namespace kiln::bench {
namespace {

constexpr int kDevices = 8;
constexpr int kDeviceStep = 5;  // one agent of so many has devices
constexpr int64_t kExecutorMilli = 100;

const char* const kModels[] = {"A100", "V100", "T4"};
const char* const kRoles[] = {"research", "research/vision", "research/language",
                              "ads",      "ads/rank",        "batch"};

int NumberOf(const AgentId& id) { return std::stoi(id.text.substr(id.text.rfind('S') + 1)); }

CommandWork Training(int number) {
  return {.argv = {"python3", "train.py", "--config", fmt::format("experiment-{}.yaml", number)},
          .environment = {{"NCCL_DEBUG", "INFO"}}};
}

SearchWork Kernel(int number) {
  SearchWork work;
  work.data.uri = fmt::format("hdfs://data/part-{}.csv", number);
  work.query = {1, 2, 3};
  work.output = fmt::format("hdfs://out/{}", number);
  return work;
}

}  // namespace

scheduler::Settings LargeSettings() {
  scheduler::Settings settings;
  settings.sharing.roles = {{.name = "research", .weight = 3},
                            {.name = "research/vision", .weight = 2},
                            {.name = "ads", .weight = 2, .quota = {1'000'000, 0, 0, 500'000}},
                            {.name = "ads/rank"},
                            {.name = "batch", .weight = 0.5}};
  settings.sharing.roles.push_back({.name = "research/language"});
  return settings;
}

Job LargeJob(int number) {
  Job job{.name = fmt::format("experiment-{:05}", number),
          .role = kRoles[static_cast<size_t>(number / 20) % std::size(kRoles)],
          .priority = 40 + number % 7};
  Group group{.name = "worker", .count = kJobMembers, .mem = GiB(1 + number % 3)};
  group.work = Training(number);
  const int kind = number % 20;
  if (kind == 0) {
    job.gang_members = number < kStartedJobs ? kJobMembers / 2 : kJobMembers;
  } else if (kind == 1) {
    group.gpus = {.count = 1, .model = kModels[static_cast<size_t>(number / 20) % 3]};
    group.cpus_milli = 2'000;
  } else if (kind == 2) {
    group.gpus.share = 0.5;
  } else if (kind < 10) {
    group.work = Kernel(number);
    group.cpus_milli = 500;
    if (kind < 5) job.pool = fmt::format("pool-{}", number % 100);
  } else if (number % 200 == 10) {
    group.constraints = {{"rack", ConstraintOperator::kMaxPer, "20"}};
  } else if (kind == 10) {
    group.constraints = {{"zone", ConstraintOperator::kLike, "z[01]"}};
  } else {
    group.cpus_milli = 500 * (1 + number % 6);
  }
  job.groups.push_back(std::move(group));
  return job;
}

LargeCluster::LargeCluster() : tasks_(kLargeAgents) {
  for (int i = 0; i < kLargeAgents; ++i) {
    Agent agent{.id = {fmt::format("5f2c1f0e-7c1b-4a43-9a0e-3f1d2b6c8e11-S{}", i)},
                .hostname = fmt::format("node-{:05}.example.com", i),
                .address = fmt::format("10.{}.{}.{}:5051", i >> 16, i >> 8 & 255, i & 255)};
    agent.attributes = {{"rack", fmt::format("r{}", i / 40)}, {"zone", fmt::format("z{}", i % 3)}};
    Resources free{.cpus_milli = 25'000, .mem = GiB(256), .disk = GiB(500)};
    free.ports = {{31'000, 32'000}};
    for (int device = 0; device < kDevices && i % kDeviceStep == 0; ++device) {
      const GpuId id{fmt::format("GPU-{:08x}-{}", i * 2'654'435, device)};
      agent.gpus.push_back(
          {.id = id, .model = kModels[i / kDeviceStep % 3], .memory = GiB(40), .minor = device});
      free.gpu_ids.push_back(id);
    }
    agents_.push_back(std::move(agent));
    free_.push_back(std::move(free));
  }
}

const Agent& LargeCluster::AgentOf(const AgentId& id) const { return AgentAt(NumberOf(id)); }

bool LargeCluster::HasRoom(int agent, const Group& group) const {
  const Resources& free = free_[static_cast<size_t>(agent)];
  return free.cpus_milli >= group.cpus_milli + kExecutorMilli && free.mem >= group.mem + MiB(64);
}

bool LargeCluster::Fits(int agent, const Group& group) const {
  if (!HasRoom(agent, group)) return false;
  if (!group.gpus.Any()) return true;
  const auto at = static_cast<size_t>(agent);
  if (free_[at].gpu_ids.empty()) return false;
  return group.gpus.model.empty() || group.gpus.model == agents_[at].gpus[0].model;
}

std::optional<scheduler::Launch> LargeCluster::Find(const Job& job, int index) {
  const Group& group = job.groups[0];
  const bool devices = group.gpus.Any();
  scheduler::Launch launch{.member = {job.name, group.name, index}, .offers = {{"first"}}};
  launch.resources = {.cpus_milli = group.cpus_milli, .mem = group.mem, .disk = group.disk};
  int& next = devices ? next_devices_ : next_;
  const int step = devices ? kDeviceStep : 1;
  if (group.gpus.share > 0 && half_ && HasRoom(half_->first, group)) {
    launch.agent = AgentAt(half_->first).id;
    launch.resources.gpu_shares = {{half_->second, 500}};
    half_.reset();
    return launch;
  }
  for (int tried = 0; !Fits(next, group); ++tried) {
    if (tried == kLargeAgents) return std::nullopt;
    next = (next + step) % kLargeAgents;
  }
  launch.agent = AgentAt(next).id;
  if (!devices) return launch;
  const GpuId& id = free_[static_cast<size_t>(next)].gpu_ids.front();
  if (group.gpus.share > 0) {
    launch.resources.gpu_shares = {{id, 500}};
    half_ = {next, id};
  } else {
    launch.resources.gpu_ids = {id};
  }
  return launch;
}

Offer LargeCluster::OfferOf(int agent, Instant now) {
  return {.id = {fmt::format("5f2c1f0e-7c1b-4a43-9a0e-3f1d2b6c8e11-O{}", ++offers_)},
          .agent = AgentAt(agent),
          .role = "*",
          .resources = free_[static_cast<size_t>(agent)],
          .received = now};
}

void LargeCluster::Apply(const scheduler::Lifecycle& lifecycle, const scheduler::Effects& effects) {
  const Resources own = lifecycle.settings().executor;
  for (const scheduler::LaunchCall& start : effects.starts) {
    const Task& task = lifecycle.state().tasks.at(start.task);
    const auto agent = static_cast<size_t>(NumberOf(task.agent));
    Resources taken = task.resources;
    taken.gpu_shares.clear();
    if (start.new_executor) {
      taken += executors_[task.executor] = start.ExecutorTakes(own);
    }
    free_[agent] -= taken;
    tasks_[agent].push_back(&task);
  }
  for (const scheduler::ShutdownCall& call : effects.shutdowns) {
    const auto executor = executors_.find(call.executor);
    free_[static_cast<size_t>(NumberOf(call.agent))] += executor->second;
    executors_.erase(executor);
  }
}

void LargeCluster::End(const Task& task) {
  const auto agent = static_cast<size_t>(NumberOf(task.agent));
  Resources freed = task.resources;
  freed.gpu_shares.clear();
  free_[agent] += freed;
  std::erase(tasks_[agent], &task);
}

}  // namespace kiln::bench
