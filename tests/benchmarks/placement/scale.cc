#include "tests/benchmarks/placement/scale.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <numeric>
#include <optional>
#include <string>

#include "tests/benchmarks/placement/large_cluster.h"
#include "tests/support/process.h"

namespace kiln::bench {
namespace {

using scheduler::Cycle;
using scheduler::Effects;
using scheduler::Lifecycle;
using scheduler::OfferBook;
using scheduler::State;

constexpr int kOffers = 1'000;
constexpr int kCycles = 30;
constexpr double kCycleLimit = 50;   // ms
constexpr double kMemoryLimit = 16;  // GB
constexpr size_t kEnds = 1;          // tasks that end on an agent before it offers

template <typename Function>
double Milliseconds(Function function) {
  const double start = ProcessorMilliseconds();
  function();
  return ProcessorMilliseconds() - start;
}

// The daemon's cores with a cluster in the place of Mesos.
class Large {
 public:
  Large() : life_({}, LargeSettings(), 1), book_({}, {"*"}), cycle_(scheduler::kFill, book_) {
    life_.Subscribed("framework", now_);
    life_.TakeEffects();
  }

  double Submit() {
    return Milliseconds([&] {
      for (int i = 0; i < kLargeJobs; ++i) {
        const Status status = life_.Submit(LargeJob(i), static_cast<uint64_t>(i), now_);
        if (!status) fmt::print("scale: {}\n", status.error().message);
        now_ = now_ + std::chrono::milliseconds(1);
      }
      life_.TakeEffects();
    });
  }

  // A first half of the members of the first jobs, one after the other.
  void Start() {
    for (int number = 0; number < kStartedJobs; ++number) {
      const Job job = LargeJob(number);
      for (int index = 0; index < kJobMembers / 2; ++index) {
        const auto launch = cluster_.Find(job, index);
        if (!launch) break;
        const Agent& agent = cluster_.AgentOf(launch->agent);
        life_.LaunchAll({*launch}, {{agent.id, agent}}, now_);
        Confirm(life_.TakeEffects());
      }
    }
  }

  // One cycle after so many agents have offered what they have free.
  double Offers(int first, int count, int step) {
    std::vector<Offer> offers;
    for (int i = 0; i < count; ++i) {
      offers.push_back(cluster_.OfferOf((first + i * step) % kLargeAgents, now_));
    }
    Cycle::Outcome outcome;
    const double time = Milliseconds([&] {
      for (Offer& offer : offers) book_.Add(std::move(offer));
      outcome = cycle_.Run(life_, true, now_);
    });
    launches_ = outcome.effects.starts.size();
    Confirm(outcome.effects);
    return time;
  }
  void Wait(Duration time) { now_ = now_ + time; }
  // Why all that waits does, with nothing else to do: what each cycle of it took.
  std::vector<double> Reasons() {
    Wait(scheduler::kJudgedAge);
    std::vector<double> cycles;
    do {
      cycles.push_back(Offers(0, 0, 1));
    } while (cycle_.Next(now_) == now_);
    return cycles;
  }

  // Where a job would go that is not submitted: what each part of the answer took.
  std::vector<double> DryRunParts() {
    Job job = LargeJob(1);
    job.name = "dry";
    scheduler::DryRun run(std::move(job));
    std::vector<double> parts;
    for (bool done = false; !done;) {
      parts.push_back(Milliseconds([&] { done = cycle_.GoOn(run, life_, now_); }));
    }
    return parts;
  }

  // Another process takes the state up.
  template <typename Add>
  void Restart(Add add) {
    State state = life_.state();
    std::optional<Lifecycle> next;
    add("scale_start", Milliseconds([&] { next.emplace(std::move(state), LargeSettings(), 2); }),
        "ms", 0, "the state is taken up, without reading it from the store");
    add("scale_subscribed", Milliseconds([&] { next->Subscribed("framework", now_); }), "ms", 0,
        "the first tasks are asked for");
    double worst = 0;
    while (!next->Settled(now_)) {
      now_ = now_ + LargeSettings().reconcile_pause;
      worst = std::max(worst, Milliseconds([&] { next->Tick(now_); }));
      next->TakeEffects();
    }
    add("scale_reconcile_worst", worst, "ms", 0, "the longest of the turns that ask for the rest");
    Job job = LargeJob(11);
    job.name = "large";
    job.groups[0].count = 100'000;
    add("scale_submit_100000",
        Milliseconds([&] { static_cast<void>(next->Submit(std::move(job), 1, now_)); }), "ms", 0,
        "one job of 100,000 members");
  }

  void EndSome(int first, int count, int step) {
    for (int i = 0; i < count; ++i) {
      const std::vector<const Task*> tasks = cluster_.Tasks((first + i * step) % kLargeAgents);
      for (size_t end = 0; end < std::min(kEnds, tasks.size()); ++end) {
        cluster_.End(*tasks[end]);
        Tell(*tasks[end], TaskState::kFinished);
      }
    }
  }

  size_t Waiting() const {
    size_t waiting = 0;
    for (const scheduler::WaitingJob& job : life_.See(now_).jobs) {
      for (const scheduler::WaitingGroup& group : job.groups) waiting += group.members.size();
    }
    return waiting;
  }
  size_t Running() const { return life_.state().tasks.size(); }
  static double Gigabytes() { return static_cast<double>(support::ResidentBytes(getpid())) * 1e-9; }
  size_t launches() const { return launches_; }

 private:
  void Tell(const Task& task, TaskState state) {
    life_.Update({.task = task.id, .agent = task.agent, .state = state, .by_executor = true}, now_);
  }
  // What was launched runs.
  void Confirm(const Effects& effects) {
    cluster_.Apply(life_, effects);
    for (const scheduler::LaunchCall& start : effects.starts) {
      Tell(life_.state().tasks.at(start.task), TaskState::kRunning);
    }
    life_.TakeEffects();
  }

  Instant now_{1'700'000'000'000'000'000};
  LargeCluster cluster_;
  Lifecycle life_;
  OfferBook book_;
  Cycle cycle_;
  size_t launches_ = 0;
};

}  // namespace

std::vector<Measurement> MeasureScale() {
  std::vector<Measurement> measurements;
  const auto add = [&](const char* name, double value, const char* unit, double limit,
                       const std::string& note) {
    measurements.push_back({name, value, unit, limit > 0 ? "limit" : "",
                            limit > 0 ? std::optional(limit) : std::nullopt, note});
    fmt::print("placement: {}: {:.1f} {}\n", name, value, unit);
  };
  Large large;
  const double submit = large.Submit();
  large.Start();
  const std::string queue = fmt::format("{} agents, {} running and {} waiting members of {} jobs",
                                        kLargeAgents, large.Running(), large.Waiting(), kLargeJobs);
  add("scale_submit", submit / kLargeJobs, "ms", 0, "one job of 1,000 members, mean of 11,000");
  add("scale_first_cycle", large.Offers(0, kLargeAgents, 1), "ms", 0,
      fmt::format("{}; all agents offer at once, {} launches", queue, large.launches()));
  std::vector<double> cycles;
  std::vector<double> judged;
  std::vector<double> updates;
  size_t launches = 0;
  for (int i = 0; i < kCycles; ++i) {
    large.EndSome(i, kOffers, 49);
    updates.push_back(large.Offers(i, 0, 1));
    // Reasons are not due again yet, but in every tenth cycle.
    const bool due = i % 10 == 0;
    large.Wait(due ? scheduler::kJudgedAge : std::chrono::milliseconds(20));
    (due ? judged : cycles).push_back(large.Offers(i, kOffers, 49));
    launches += large.launches();
  }
  const std::string note = fmt::format("{}; {} new offers and {} launches in each of {} cycles",
                                       queue, kOffers, launches / kCycles, cycles.size());
  add("scale_cycle_p50", Quantile(cycles, 0.5), "ms", kCycleLimit, note);
  add("scale_cycle_worst", Quantile(cycles, 1), "ms", kCycleLimit, note);
  add("scale_cycle_updates_p50", Quantile(updates, 0.5), "ms", 0,
      fmt::format("after {} tasks have ended, before their agents offer", kOffers * kEnds));
  add("scale_cycle_with_reasons", Quantile(judged, 1), "ms", 0,
      "the worst cycle in which a judgement of all that waits begins: once in 5 s, and when "
      "somebody asks or a job has come once in 750 ms; it goes on in others, one of two when all "
      "start something");
  const std::vector<double> parts = large.Reasons();
  add("scale_reasons", std::accumulate(parts.begin(), parts.end(), 0.0), "ms", 0,
      fmt::format("of all that waits, with nothing else to do, in {} cycles", parts.size()));
  add("scale_reasons_worst", Quantile(parts, 1), "ms", 0, "the longest of these cycles");
  const std::vector<double> dry = large.DryRunParts();
  add("scale_dry_run", std::accumulate(dry.begin(), dry.end(), 0.0), "ms", 0,
      fmt::format("of a job with GPUs, in {} parts, between which the loop does what else there is",
                  dry.size()));
  add("scale_dry_run_worst", Quantile(dry, 1), "ms", 0, "the longest of these parts");
  add("scale_memory", large.Gigabytes(), "GB", kMemoryLimit,
      queue + "; resident, with the benchmark's own cluster");
  large.Restart(add);
  return measurements;
}

}  // namespace kiln::bench
