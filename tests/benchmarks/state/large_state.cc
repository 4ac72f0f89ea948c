#include "tests/benchmarks/state/large_state.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/random.h"
#include "model/units.h"

namespace kiln::bench {
namespace {

constexpr size_t kTasksOfAgent = 100;
constexpr Instant kBegin{1'760'000'000'000'000'000};
constexpr int64_t kSecond = 1'000'000'000;

Job JobNumber(size_t number) {
  Job job{.name = fmt::format("experiment-{:05}", number),
          .kind = JobKind::kTraining,
          .role = "research",
          .priority = static_cast<int>(40 + number % 7)};
  Group group{.name = "worker", .count = kMembersOfJob, .cpus_milli = 500, .mem = MiB(512)};
  group.work = CommandWork{
      .argv = {"python3", "train.py", "--config", fmt::format("experiment-{}.yaml", number)},
      .environment = {{"NCCL_DEBUG", "INFO"}}};
  job.groups.push_back(std::move(group));
  return job;
}

Task TaskOf(const Job& job, int index, const Agent& agent, Random& random) {
  const Group& group = job.groups[0];
  Task task{.id = {fmt::format("{}.{}.{}.7-{}", job.name, group.name, index,
                               random.Below(uint64_t{1} << 24))},
            .member = {job.name, group.name, index},
            .agent = agent.id,
            .hostname = agent.hostname,
            .resources = {.cpus_milli = group.cpus_milli, .mem = group.mem},
            .state = TaskState::kRunning,
            .fraction = random.Unit(),
            .launched = kBegin + Duration(static_cast<int64_t>(random.Below(3600)) * kSecond)};
  task.executor = {task.id.text};
  task.started = task.launched + std::chrono::seconds(2);
  if (index % 10 != 0) return task;
  task.state = TaskState::kFinished;
  task.message = "Command exited with status 0";
  task.fraction = 1;
  task.ended = task.started + std::chrono::seconds(60 + random.Below(600));
  return task;
}

}  // namespace

scheduler::State LargeState(size_t tasks, uint64_t seed) {
  Random random(seed);
  scheduler::State state{.framework_id = "5f2c1f0e-7c1b-4a43-9a0e-3f1d2b6c8e11-0001",
                         .incarnation = 7};
  std::vector<Agent> agents;
  for (size_t i = 0; i < std::max<size_t>(1, tasks / kTasksOfAgent); ++i) {
    agents.push_back({.id = {fmt::format("5f2c1f0e-7c1b-4a43-9a0e-3f1d2b6c8e11-S{}", i)},
                      .hostname = fmt::format("node-{:05}.example.com", i),
                      .address = fmt::format("10.{}.{}.{}:5051", i >> 16, i >> 8 & 255, i & 255)});
    state.agents[agents.back().id] = agents.back();
  }
  for (size_t made = 0; made < tasks; made += kMembersOfJob) {
    Job job = JobNumber(made / kMembersOfJob);
    for (int i = 0; i < kMembersOfJob; ++i) {
      Task task = TaskOf(job, i, agents[random.Below(agents.size())], random);
      const TaskId id = task.id;
      state.tasks[id] = std::move(task);
    }
    const std::string name = job.name;
    state.jobs[name] = {.job = std::move(job),
                        .digest = random(),
                        .phase = scheduler::JobPhase::kRunning,
                        .submitted = kBegin};
  }
  return state;
}

}  // namespace kiln::bench
