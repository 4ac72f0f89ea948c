// Task transitions a second through the daemon's ledger into SQLite and ZooKeeper, beside what the
// disk can sync.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "base/random.h"
#include "scheduler/daemon/ledger.h"
#include "tests/benchmarks/report.h"
#include "tests/benchmarks/state/large_state.h"
#include "tests/support/process.h"
#include "tests/support/zookeeper_server.h"
#include "wire/records/records.h"

namespace kiln::bench {
namespace {

using Clock = std::chrono::steady_clock;
using scheduler::Ledger;

constexpr size_t kTasks = 100'000;
constexpr double kFedRate = 50'000;  // transitions a second
constexpr double kSeconds = 5;       // of each measurement

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Ends the program: a benchmark without its store has nothing to say.
void Must(const Status& status) {
  if (status) return;
  fmt::print(stderr, "store: {}\n", status.error().message);
  std::exit(1);
}

// A scheduler's state of which tasks change, any one as likely as the others.
class Cluster {
 public:
  Cluster() : state_(LargeState(kTasks, 1)), random_(2) {
    for (auto& [id, task] : state_.tasks) tasks_.push_back(&task);
  }

  // All that is to be written first.
  void WriteAll(Ledger& ledger) {
    scheduler::Effects all;
    all.meta = true;
    for (const auto& [name, job] : state_.jobs) all.jobs.insert(name);
    for (const auto& [id, agent] : state_.agents) all.agents.insert(id);
    Must(ledger.Write(state_, all));
    scheduler::Effects some;
    for (const Task* task : tasks_) {
      some.tasks.insert(task->id);
      if (some.tasks.size() < 1'000) continue;
      Must(ledger.Write(state_, some));
      some.tasks.clear();
    }
  }

  // A turn of the daemon in which so many tasks change.
  void Turn(Ledger& ledger, size_t transitions) {
    scheduler::Effects effects;
    for (size_t i = 0; i < transitions; ++i) {
      Task& task = *tasks_[random_.Below(tasks_.size())];
      const bool starts = task.state != TaskState::kRunning;
      task.state = starts ? TaskState::kRunning : TaskState::kFinished;
      task.message = starts ? "" : "Command exited with status 0";
      (starts ? task.started : task.ended) = {static_cast<int64_t>(random_())};
      effects.tasks.insert(task.id);
    }
    Must(ledger.Write(state_, effects));
  }

  size_t RecordBytes() const {
    size_t bytes = 0;
    for (size_t i = 0; i < 1000; ++i) bytes += wire::Encode(*tasks_[i]).size();
    return bytes / 1000;
  }

 private:
  scheduler::State state_;
  std::vector<Task*> tasks_;
  Random random_;
};

double RateOf(const std::function<void()>& turn, size_t transitions) {
  const auto start = Clock::now();
  size_t done = 0;
  while (SecondsSince(start) < kSeconds) {
    turn();
    done += transitions;
  }
  return static_cast<double>(done) / SecondsSince(start);
}

// Appends and syncs of so many bytes in a second.
double SyncRate(const std::string& path, size_t bytes) {
  const std::string piece(bytes, 'x');
  const int file = open(path.c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
  const double rate = RateOf(
      [&] {
        const bool written = write(file, piece.data(), bytes) == static_cast<ssize_t>(bytes);
        if (!written || fdatasync(file) != 0) std::abort();
      },
      1);
  close(file);
  std::filesystem::remove(path);
  return rate;
}

// Transitions come at a steady rate, and each turn takes what has come. How long the oldest of each
// turn has waited when it lasts, in milliseconds, and how many came to a turn.
struct Fed {
  std::vector<double> waits;
  double turn_size = 0;
};

Fed Feed(Cluster& cluster, Ledger& ledger) {
  Fed fed;
  const auto start = Clock::now();
  size_t done = 0;
  for (double now = 0; now < 2 * kSeconds; now = SecondsSince(start)) {
    const auto come = static_cast<size_t>(now * kFedRate);
    if (come == done) continue;
    cluster.Turn(ledger, come - done);
    fed.waits.push_back((SecondsSince(start) - static_cast<double>(done) / kFedRate) * 1e3);
    done = come;
  }
  fed.turn_size = static_cast<double>(done) / static_cast<double>(fed.waits.size());
  return fed;
}

class Run {
 public:
  void Sqlite() {
    Ledger ledger(*scheduler::OpenSqliteStore(folder_.File("state.db")));
    cluster_.WriteAll(ledger);
    for (const size_t turn : {1, 10, 100, 1'000, 5'000}) {
      Add("sqlite", turn, RateOf([&] { cluster_.Turn(ledger, turn); }, turn));
    }
    const Fed fed = Feed(cluster_, ledger);
    const std::string note = fmt::format("fed with {:.0f} transitions a second; {:.0f} to a turn",
                                         kFedRate, fed.turn_size);
    rows_.push_back({"sqlite_fed_p50", Quantile(fed.waits, 0.5), "ms", "", {}, note});
    rows_.push_back({"sqlite_fed_p99", Quantile(fed.waits, 0.99), "ms", "", {}, note});
  }

  void Zookeeper() {
    support::ZookeeperServer server({.tick = std::chrono::seconds(2), .heap = "2g", .syncs = true});
    Ledger ledger(*scheduler::OpenZookeeperStore({server.address(), "/bench", ""}));
    cluster_.WriteAll(ledger);
    for (const size_t turn : {1, 100, 1'000, 5'000}) {
      Add("zookeeper", turn, RateOf([&] { cluster_.Turn(ledger, turn); }, turn));
    }
  }

  void Report() { bench::Report(std::exchange(rows_, {})); }

 private:
  void Add(const char* store, size_t turn, double rate) {
    const size_t bytes = turn * cluster_.RecordBytes();
    if (!limits_.contains(turn)) limits_[turn] = SyncRate(folder_.File("limit"), bytes);
    rows_.push_back({fmt::format("{}_turns_of_{}", store, turn), rate, "1/s",
                     "fdatasync of the same bytes", limits_[turn] * static_cast<double>(turn),
                     fmt::format("{} transitions of {} tasks to a commit; the disk syncs {} bytes "
                                 "{:.0f} times a second",
                                 turn, kTasks, bytes, limits_[turn])});
  }

  support::TempFolder folder_;
  Cluster cluster_;
  std::map<size_t, double> limits_;  // syncs a second, by transitions
  std::vector<Measurement> rows_;
};

}  // namespace
}  // namespace kiln::bench

int main() {
  kiln::bench::Run run;
  run.Sqlite();
  run.Report();
  run.Zookeeper();
  run.Report();
}
