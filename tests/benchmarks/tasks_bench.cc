// Ten thousand small tasks of one job through one executor, from the submit to the job's end.
#include <gtest/gtest.h>

#include <fstream>
#include <thread>

#include "executor/formats/writers.h"
#include "tests/benchmarks/report.h"
#include "tests/integration/cluster.h"

namespace kiln::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kTasks = 10'000;
constexpr int kRowsOfTask = 10;
constexpr int kColumns = 64;
constexpr int kProcesses = 1'000;

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// The usual way to run a task: a process each, two side by side, and nothing around it.
double ProcessesPerSecond() {
  const auto start = Clock::now();
  auto some = [] {
    for (int i = 0; i < kProcesses / 2; ++i) support::RunProgram({"/bin/true"});
  };
  std::thread other(some);
  some();
  other.join();
  return kProcesses / SecondsSince(start);
}

int Run() {
  integration::Cluster cluster({.agents = 1});
  const std::string data = cluster.folder() / "rows.npy";
  std::vector<float> values(size_t{kTasks} * kRowsOfTask * kColumns);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 17);
  if (auto written = executor::WriteNpy(data, values, kColumns); !written) {
    fmt::print(stderr, "tasks: {}\n", written.error().message);
    return 1;
  }
  const std::string job =
      wire::DumpJson({{"name", "small"},
                      {"kind", "scoring"},
                      {"groups",
                       {{{"name", "one"},
                         {"count", kTasks},
                         {"cpus", 0.01},
                         {"mem", "4MiB"},
                         {"run",
                          {{"search",
                            {{"data", data},
                             {"query", std::vector<int>(kColumns, 1)},
                             {"top", 1},
                             {"output", (cluster.folder() / "out").string()}}}}}}}}});
  const auto start = Clock::now();
  const auto reply = cluster.Api("POST", "/v1/jobs", job);
  if (reply.status != 201) {
    fmt::print(stderr, "tasks: submit answered {} {}\n", reply.status, reply.body);
    return 1;
  }
  int64_t executor_bytes = 0;
  std::string phase;
  while (phase != "SUCCEEDED") {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    phase = cluster.Job("small").value("phase", "");
    for (const pid_t pid : cluster.Executors()) {
      executor_bytes = std::max(executor_bytes, support::ResidentBytes(pid));
    }
    if (phase == "FAILED" || SecondsSince(start) > 300) {
      fmt::print(stderr, "tasks: the job is {} after {:.0f} s\n{}", phase, SecondsSince(start),
                 cluster.Logs());
      return 1;
    }
  }
  const double rate = kTasks / SecondsSince(start);
  const auto scheduler_bytes = static_cast<double>(support::ResidentBytes(cluster.scheduler_pid()));
  Report({{"small_tasks", rate, "1/s", "processes of /bin/true", ProcessesPerSecond(),
           fmt::format("{} tasks, each a search over {} rows of its own with a file as its result, "
                       "through one executor, submit to SUCCEEDED; the peer runs two side by side",
                       kTasks, kRowsOfTask)},
          {"scheduler_memory", scheduler_bytes / (1 << 20), "MiB", "", {}, "after the run"},
          {"executor_memory",
           static_cast<double>(executor_bytes) / (1 << 20),
           "MiB",
           "",
           {},
           "the highest seen"}});
  return 0;
}

}  // namespace
}  // namespace kiln::bench

int main() {
  testing::GTEST_FLAG(throw_on_failure) = true;  // the cluster's own expectations
  return kiln::bench::Run();
}
