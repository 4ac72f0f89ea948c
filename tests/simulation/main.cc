// kiln-sim: whole clusters in virtual time, from seeds, until something fails that must hold.
//
// Exits with 1 when a seed fails: it prints the invariant, the end of the history, and the smallest
// scenario that it finds with the same violation.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <thread>

#include "base/log.h"
#include "tests/simulation/simulation.h"

namespace kiln::simulation {
namespace {

constexpr std::chrono::seconds kProgress(10);

struct Arguments {
  uint64_t seed = 1;
  uint64_t seeds = 1;
  unsigned jobs = std::max(1u, std::thread::hardware_concurrency());
  std::string faults;
  std::string canary;
  size_t lines = 60;
  bool verbose = false;
  bool keep_going = false;
};

Result<std::vector<FaultKind>> ParseFaults(const std::string& text) {
  std::vector<FaultKind> kinds;
  for (size_t from = 0; from < text.size();) {
    const size_t end = std::min(text.find(',', from), text.size());
    const std::string name = text.substr(from, end - from);
    bool found = false;
    std::string known;
    for (int kind = 0; kind < kFaultKinds; ++kind) {
      const auto one = static_cast<FaultKind>(kind);
      known += std::string(" ") + FaultKindName(one);
      if (name != FaultKindName(one)) continue;
      kinds.push_back(one);
      found = true;
    }
    if (!found) {
      return Fail(ErrorCode::kInvalidArgument, "fault is '{}', expected one of:{}", name, known);
    }
    from = end + 1;
  }
  return kinds;
}

Result<Canary> ParseCanary(const std::string& name) {
  if (name.empty()) return Canary::kNone;
  if (name == "late-commit") return Canary::kLateCommit;
  if (name == "lost-commit") return Canary::kLostCommit;
  if (name == "early-acknowledgement") return Canary::kEarlyAcknowledgement;
  if (name == "no-fence") return Canary::kNoFence;
  return Fail(
      ErrorCode::kInvalidArgument,
      "canary is '{}', expected one of: late-commit lost-commit early-acknowledgement no-fence",
      name);
}

void PrintTail(const std::deque<std::string>& lines, size_t count) {
  for (size_t i = lines.size() - std::min(lines.size(), count); i < lines.size(); ++i) {
    std::printf("%s\n", lines[i].c_str());
  }
}

void Report(const Scenario& scenario, const Violation& violation, const RunOptions& options,
            const Arguments& arguments) {
  std::printf("seed %lu violates %s: %s\n", scenario.seed, violation.invariant.c_str(),
              violation.text.c_str());
  const Scenario smaller = Shrink(scenario, violation, options);
  const Outcome outcome = Run(smaller, {options.canary, true});
  std::printf("\nthe end of its history, in the smallest scenario that was found:\n");
  PrintTail(outcome.history, arguments.lines);
  std::printf("\n%s", ToText(smaller).c_str());
}

// Seeds are taken one after the other by whoever is free.
struct Campaign {
  std::atomic<uint64_t> next;
  std::atomic<uint64_t> done = 0;
  std::atomic<bool> over = false;
  std::mutex mutex;  // of what follows
  uint64_t steps = 0;
  Duration time{};
  uint64_t failed = 0;
  uint64_t last_random = 0;  // of all together, whatever their order
  std::condition_variable ended;
};

void Take(Campaign& campaign, const Arguments& arguments, const std::vector<FaultKind>& faults,
          const RunOptions& options) {
  while (!campaign.over) {
    const uint64_t seed = campaign.next++;
    if (seed - arguments.seed >= arguments.seeds) return;
    const Scenario scenario = MakeScenario(seed, faults);
    const Outcome outcome = Run(scenario, options);
    const std::lock_guard lock(campaign.mutex);
    if (campaign.over) return;
    ++campaign.done;
    campaign.steps += outcome.steps;
    campaign.time += outcome.time;
    campaign.last_random ^= outcome.last_random;
    if (arguments.verbose) {
      std::printf("%s", ToText(scenario).c_str());
      PrintTail(outcome.history, outcome.history.size());
    }
    if (!outcome.violation) continue;
    ++campaign.failed;
    if (arguments.keep_going) {
      std::printf("seed %lu violates %s: %s\n", seed, outcome.violation->invariant.c_str(),
                  outcome.violation->text.c_str());
      std::fflush(stdout);
      continue;
    }
    campaign.over = true;
    Report(scenario, *outcome.violation, options, arguments);
  }
}

Result<int> Simulate(const Arguments& arguments) {
  KILN_TRY(const std::vector<FaultKind> faults, ParseFaults(arguments.faults));
  RunOptions options;
  KILN_TRY(options.canary, ParseCanary(arguments.canary));
  options.record = arguments.verbose;
  Campaign campaign{.next = arguments.seed};
  const auto start = std::chrono::steady_clock::now();
  const auto seconds = [start] { return ToSeconds(std::chrono::steady_clock::now() - start); };
  unsigned busy = arguments.jobs;
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < arguments.jobs; ++i) {
    threads.emplace_back([&] {
      Take(campaign, arguments, faults, options);
      const std::lock_guard lock(campaign.mutex);
      if (--busy == 0) campaign.ended.notify_one();
    });
  }
  {
    std::unique_lock lock(campaign.mutex);
    while (!campaign.ended.wait_for(lock, kProgress, [&] { return busy == 0; })) {
      std::fprintf(stderr, "%lu of %lu seeds, %lu failed, %.1f a second\n", campaign.done.load(),
                   arguments.seeds, campaign.failed,
                   static_cast<double>(campaign.done) / seconds());
    }
  }
  for (std::thread& thread : threads) thread.join();
  if (campaign.over) return 1;
  std::printf(
      "%lu of %lu seeds are clean: %.0f hours of clusters and %lu steps in %.1f s, %.1f seeds a "
      "second; last random number %016lx\n",
      arguments.seeds - campaign.failed, arguments.seeds, ToSeconds(campaign.time) / 3600,
      campaign.steps, seconds(), static_cast<double>(arguments.seeds) / seconds(),
      campaign.last_random);
  return campaign.failed == 0 ? 0 : 1;
}

int Main(int argc, char** argv) {
  CLI::App app("Whole clusters in virtual time: Kiln's own code, from a seed, with faults.");
  Arguments arguments;
  app.add_option("--seed", arguments.seed, "the first seed")->capture_default_str();
  app.add_option("--seeds", arguments.seeds, "how many")->capture_default_str();
  app.add_option("--jobs", arguments.jobs, "how many at a time")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--faults", arguments.faults, "only these faults, with commas between them");
  app.add_option("--canary", arguments.canary, "plants a bug, to see it found");
  app.add_option("--lines", arguments.lines, "of the history that are printed")
      ->capture_default_str();
  app.add_flag("--keep-going", arguments.keep_going, "one line for each seed that fails");
  app.add_flag("--verbose", arguments.verbose, "prints scenarios and whole histories");
  CLI11_PARSE(app, argc, argv);
  // What fails in there is meant to: nothing of it is for the log.
  StartLog("kiln-sim", static_cast<LogLevel>(3));
  const auto code = Simulate(arguments);
  if (code) return *code;
  std::fprintf(stderr, "kiln-sim: %s\n", code.error().message.c_str());
  return 64;
}

}  // namespace
}  // namespace kiln::simulation

int main(int argc, char** argv) { return kiln::simulation::Main(argc, argv); }
