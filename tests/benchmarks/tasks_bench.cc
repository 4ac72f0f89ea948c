// Ten thousand small tasks of one job through one executor, from the submit to the job's end.
#include <gtest/gtest.h>

#include <optional>
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

struct Outcome {
  double rate = 0;  // tasks a second, from the submit to SUCCEEDED
  int64_t executor_bytes = 0;
};

// A job of kTasks searches, each over rows of its own. With an output, each writes a file.
std::optional<Outcome> RunJob(integration::Cluster& cluster, const std::string& name,
                              const std::string& data, const std::string& output) {
  wire::Json search = {{"data", data}, {"query", std::vector<int>(kColumns, 1)}, {"top", 1}};
  if (!output.empty()) search["output"] = output;
  const wire::Json group = {{"name", "one"},
                            {"count", kTasks},
                            {"cpus", 0.01},
                            {"mem", "4MiB"},
                            {"run", {{"search", search}}}};
  const std::string job =
      wire::DumpJson({{"name", name}, {"kind", "scoring"}, {"groups", {group}}});
  const auto start = Clock::now();
  const auto reply = cluster.Api("POST", "/v1/jobs", job);
  if (reply.status != 201) {
    fmt::print(stderr, "tasks: submit answered {} {}\n", reply.status, reply.body);
    return std::nullopt;
  }
  Outcome outcome;
  std::string phase;
  while (phase != "SUCCEEDED") {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    phase = cluster.Job(name).value("phase", "");
    for (const pid_t pid : cluster.Executors()) {
      outcome.executor_bytes = std::max(outcome.executor_bytes, support::ResidentBytes(pid));
    }
    if (phase == "FAILED" || SecondsSince(start) > 300) {
      fmt::print(stderr, "tasks: the job is {} after {:.0f} s\n{}", phase, SecondsSince(start),
                 cluster.Logs());
      return std::nullopt;
    }
  }
  outcome.rate = kTasks / SecondsSince(start);
  return outcome;
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
  const auto told = RunJob(cluster, "told", data, "");
  const auto filed = RunJob(cluster, "filed", data, cluster.folder() / "out");
  if (!told || !filed) return 1;
  const auto scheduler_bytes = static_cast<double>(support::ResidentBytes(cluster.scheduler_pid()));
  const auto executor_bytes =
      static_cast<double>(std::max(told->executor_bytes, filed->executor_bytes));
  const double processes = ProcessesPerSecond();
  const std::string note = fmt::format(
      "{} tasks, each a search over {} rows of its own, through one executor, submit to "
      "SUCCEEDED; the peer runs two side by side",
      kTasks, kRowsOfTask);
  Report({{"small_tasks", told->rate, "1/s", "processes of /bin/true", processes,
           note + "; each tells its result, which is remembered with its end"},
          {"small_tasks_files", filed->rate, "1/s", "processes of /bin/true", processes,
           note + "; each writes its result to a file, with fsync"},
          {"scheduler_memory", scheduler_bytes / (1 << 20), "MiB", "", {}, "after both"},
          {"executor_memory", executor_bytes / (1 << 20), "MiB", "", {}, "the highest seen"}});
  return 0;
}

}  // namespace
}  // namespace kiln::bench

int main() {
  testing::GTEST_FLAG(throw_on_failure) = true;  // the cluster's own expectations
  return kiln::bench::Run();
}
