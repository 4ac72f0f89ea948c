// From the submit of a job to its task's TASK_RUNNING, as a client sees both, on a warm executor.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <condition_variable>
#include <fstream>
#include <map>
#include <mutex>
#include <thread>

#include "tests/benchmarks/report.h"
#include "tests/integration/cluster.h"
#include "wire/net/client.h"

namespace kiln::bench {
namespace {

using Clock = std::chrono::steady_clock;
using wire::Json;

constexpr int kSubmits = 1000;
constexpr std::chrono::seconds kPatience(10);

double Milliseconds(Clock::duration time) {
  return std::chrono::duration<double, std::milli>(time).count();
}

// When each job's first TASK_RUNNING and its end came over the event stream.
class Watch {
 public:
  explicit Watch(const std::string& api) : thread_([this, api] { Follow(api); }) {}
  ~Watch() {
    stop_ = true;
    thread_.join();
  }

  std::optional<Clock::time_point> Running(const std::string& job) { return Await(running_, job); }
  bool Succeeded(const std::string& job) { return Await(succeeded_, job).has_value(); }

 private:
  using Times = std::map<std::string, Clock::time_point>;

  std::optional<Clock::time_point> Await(const Times& times, const std::string& job) {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, kPatience, [&] { return times.contains(job); })) return {};
    return times.at(job);
  }
  void Follow(const std::string& api) {
    std::string text;
    (void)net::FetchStream(api + "/v1/events", {}, [&](std::string_view piece) {
      const auto now = Clock::now();
      text += piece;
      for (size_t end; (end = text.find('\n')) != std::string::npos; text.erase(0, end + 1)) {
        if (text.starts_with("data: ")) Take(text.substr(6, end - 6), now);
      }
      return !stop_;
    });
  }
  void Take(const std::string& line, Clock::time_point now) {
    const auto event = wire::ParseJson(line);
    if (!event) return;
    const std::string name = event->at("name"), state = event->at("state");
    std::lock_guard lock(mutex_);
    if (event->at("type") == "task" && state == "TASK_RUNNING") {
      running_.emplace(name.substr(0, name.find('.')), now);
    } else if (event->at("type") == "job" && state == "SUCCEEDED") {
      succeeded_.emplace(name, now);
    }
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  Times running_, succeeded_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

std::string JobNamed(const std::string& name, const std::string& data) {
  return wire::DumpJson(
      {{"name", name},
       {"kind", "scoring"},
       {"pool", "warm"},
       {"groups",
        {{{"name", "one"},
          {"cpus", 0.1},
          {"mem", "32MiB"},
          {"run",
           {{"search",
             {{"data", data}, {"query", {1, 2}}, {"top", 1}, {"output", data + ".out"}}}}}}}}});
}

// What no durable scheduler can go below: the job with its launch, and then the update, are each
// one synchronous write, the second after the first.
double TwoWrites(const std::string& path) {
  const std::string page(4096, 'x');
  const int file = open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  std::vector<double> times;
  for (int i = 0; i < 200; ++i) {
    const auto start = Clock::now();
    for (int k = 0; k < 2; ++k) {
      if (pwrite(file, page.data(), page.size(), 0) < 0 || fdatasync(file) != 0) std::abort();
    }
    times.push_back(Milliseconds(Clock::now() - start));
  }
  close(file);
  return Quantile(times, 0.5);
}

int Run() {
  integration::Cluster cluster({.agents = 1});
  const std::string data = cluster.folder() / "rows.csv";
  std::ofstream(data) << "a,b\n1,2\n3,4\n";
  Watch watch(cluster.api());
  std::vector<double> times;
  for (int i = -1; i < kSubmits; ++i) {
    const std::string name = fmt::format("submit-{}", i + 1);
    const auto start = Clock::now();
    const auto reply = cluster.Api("POST", "/v1/jobs", JobNamed(name, data));
    const auto running = reply.status == 201 ? watch.Running(name) : std::nullopt;
    if (!running || !watch.Succeeded(name)) {
      fmt::print(stderr, "submit: job {} did not run within {} s: {}\n{}", name, kPatience.count(),
                 reply.body, cluster.Logs());
      return 1;
    }
    if (i >= 0) times.push_back(Milliseconds(*running - start));  // the first starts the executor
  }
  const auto executors = cluster.Executors();
  const auto mebibytes = [](pid_t pid) {
    return static_cast<double>(support::ResidentBytes(pid)) / (1 << 20);
  };
  const double limit = TwoWrites(cluster.folder() / "limit");
  const std::string peer = "2 fdatasync of 4 KiB";
  const std::string note = fmt::format("{} jobs one after the other, one warm executor", kSubmits);
  Report({{"submit_to_running_p50", Quantile(times, 0.5), "ms", peer, limit, note},
          {"submit_to_running_p99", Quantile(times, 0.99), "ms", peer, limit, note},
          {"scheduler_memory", mebibytes(cluster.scheduler_pid()), "MiB", "", {}, "after the run"},
          {"executor_memory",
           executors.size() == 1 ? mebibytes(executors[0]) : 0,
           "MiB",
           "",
           {},
           fmt::format("{} executor process after the run", executors.size())}});
  return 0;
}

}  // namespace
}  // namespace kiln::bench

int main() {
  testing::GTEST_FLAG(throw_on_failure) = true;  // the cluster's own expectations
  return kiln::bench::Run();
}
