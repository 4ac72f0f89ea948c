// From the open of a state with a million task records to the calls that reconcile them, with the
// daemon's own code.
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <string>

#include "scheduler/daemon/ledger.h"
#include "scheduler/lifecycle/lifecycle.h"
#include "tests/benchmarks/report.h"
#include "tests/benchmarks/state/large_state.h"
#include "tests/support/process.h"

namespace kiln::bench {
namespace {

using Clock = std::chrono::steady_clock;
using scheduler::Ledger;

constexpr size_t kTasks = 1'000'000;
constexpr double kGoal = 5;  // seconds
constexpr Instant kNow{1'760'000'000'000'000'000};

void Must(const Status& status) {
  if (status) return;
  fmt::print(stderr, "cold_start: {}\n", status.error().message);
  std::exit(1);
}

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double Mebibytes() { return static_cast<double>(support::ResidentBytes(getpid())) / (1 << 20); }

// In a process of its own, so that its memory is not counted.
void WriteState(const std::string& path) {
  const pid_t child = fork();
  if (child != 0) {
    int status = 0;
    waitpid(child, &status, 0);
    if (status != 0) std::exit(1);
    return;
  }
  const scheduler::State state = LargeState(kTasks, 1);
  Ledger ledger(*scheduler::OpenSqliteStore(path));
  scheduler::Effects effects;
  effects.meta = true;
  for (const auto& [name, job] : state.jobs) effects.jobs.insert(name);
  for (const auto& [id, agent] : state.agents) effects.agents.insert(id);
  for (const auto& [id, task] : state.tasks) {
    effects.tasks.insert(effects.tasks.end(), id);
    if (effects.tasks.size() < 50'000) continue;
    Must(ledger.Write(state, effects));
    effects = {};
  }
  Must(ledger.Write(state, effects));
  _exit(0);
}

// As Scheduler::Open and the first turn after a subscription do it.
void Start(const std::string& path) {
  const auto start = Clock::now();
  const double processor = ProcessorMilliseconds();
  auto store = scheduler::OpenSqliteStore(path);
  Must(store ? Status() : tl::make_unexpected(store.error()));
  Ledger ledger(*std::move(store));
  auto state = ledger.Load();
  Must(state ? Status() : tl::make_unexpected(state.error()));
  const double loaded = SecondsSince(start);
  const double loaded_memory = Mebibytes();
  scheduler::Lifecycle lifecycle(*std::move(state), {}, 1);
  Must(ledger.Write(lifecycle.state(), lifecycle.TakeEffects()));
  lifecycle.Subscribed(lifecycle.state().framework_id, kNow);
  const auto calls = lifecycle.TakeEffects().reconciles;
  const double ready = SecondsSince(start);
  if (calls.empty() || calls[0].tasks.empty()) std::abort();
  const std::string note = fmt::format("{} task records of {} jobs; {} tasks in the first call",
                                       kTasks, kTasks / kMembersOfJob, calls[0].tasks.size());
  Report({{"cold_start_loaded", loaded, "s", "", {}, note},
          {"cold_start_ready", ready, "s", "the goal", kGoal, note},
          {"cold_start_processor",
           (ProcessorMilliseconds() - processor) / 1e3,
           "s",
           "",
           {},
           "of one core; the rest of the time is waiting"},
          {"cold_start_loaded_memory", loaded_memory, "MiB", "", {}, "the state alone"},
          {"cold_start_memory", Mebibytes(), "MiB", "", {}, "when it is ready"}});
}

}  // namespace
}  // namespace kiln::bench

int main() {
  const kiln::support::TempFolder folder;
  kiln::bench::WriteState(folder.File("state.db"));
  kiln::bench::Start(folder.File("state.db"));
}
