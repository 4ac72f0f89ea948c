// kiln-sim: whole clusters in virtual time, from seeds, until something fails that must hold.
//
// Exits with 1 when a seed fails: it prints the invariant, the end of the history, and the smallest
// scenario that it finds with the same violation.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <thread>

#include "base/log.h"
#include "tests/simulation/campaign.h"

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

// What the seeds so far have shown.
struct Tally {
  uint64_t done = 0;
  uint64_t steps = 0;
  Duration time{};
  uint64_t failed = 0;
  uint64_t last_random = 0;  // of all together, whatever their order
};

void Count(const Outcome& outcome, Tally& tally) {
  ++tally.done;
  tally.steps += outcome.steps;
  tally.time += outcome.time;
  tally.failed += outcome.violation ? 1 : 0;
  tally.last_random ^= outcome.last_random;
}

// Whether to go on.
bool Show(const Scenario& scenario, const Outcome& outcome, const RunOptions& options,
          const Arguments& arguments) {
  if (arguments.verbose) {
    std::printf("%s", ToText(scenario).c_str());
    PrintTail(outcome.history, outcome.history.size());
  }
  if (!outcome.violation) return true;
  if (!arguments.keep_going) {
    Report(scenario, *outcome.violation, options, arguments);
    return false;
  }
  std::printf("seed %lu violates %s: %s\n", scenario.seed, outcome.violation->invariant.c_str(),
              outcome.violation->text.c_str());
  std::fflush(stdout);
  return true;
}

Result<int> Simulate(const Arguments& arguments) {
  Seeds seeds{arguments.seed, arguments.seeds};
  KILN_TRY(seeds.faults, ParseFaults(arguments.faults));
  RunOptions options;
  KILN_TRY(options.canary, ParseCanary(arguments.canary));
  options.record = arguments.verbose;
  const auto start = std::chrono::steady_clock::now();
  const auto seconds = [start] { return ToSeconds(std::chrono::steady_clock::now() - start); };
  auto told = start;
  Tally tally;
  RunSeeds(seeds, arguments.jobs, options, [&](const Scenario& scenario, const Outcome& outcome) {
    Count(outcome, tally);
    if (std::chrono::steady_clock::now() - told >= kProgress) {
      told = std::chrono::steady_clock::now();
      std::fprintf(stderr, "%lu of %lu seeds, %lu failed, %.1f a second\n", tally.done, seeds.count,
                   tally.failed, static_cast<double>(tally.done) / seconds());
    }
    return Show(scenario, outcome, options, arguments);
  });
  if (tally.failed > 0 && !arguments.keep_going) return 1;
  std::printf(
      "%lu of %lu seeds are clean: %.0f hours of clusters and %lu steps in %.1f s, %.1f seeds a "
      "second; last random number %016lx\n",
      seeds.count - tally.failed, seeds.count, ToSeconds(tally.time) / 3600, tally.steps, seconds(),
      static_cast<double>(seeds.count) / seconds(), tally.last_random);
  return tally.failed == 0 ? 0 : 1;
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
