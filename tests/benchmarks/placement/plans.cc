#include "tests/benchmarks/placement/plans.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "scheduler/placement/place.h"

namespace kiln::bench {
namespace {

using scheduler::kFill;
using scheduler::Place;
using scheduler::Plan;
using scheduler::Snapshot;

constexpr int kAgents = 10'000;
constexpr int kMembers = 1'000;
constexpr int kWaiting = 100'000;
constexpr int kRounds = 5;

// Every second agent has eight devices.
std::vector<Offer> Cluster() {
  std::vector<Offer> offers;
  for (int i = 0; i < kAgents; ++i) {
    const std::string name = fmt::format("agent-{:05}", i);
    Offer offer{.id = {"offer-" + name}, .agent = {.id = {name}, .hostname = name}, .role = "*"};
    offer.resources = {.cpus_milli = 64'000, .mem = GiB(256), .disk = GiB(100)};
    for (int device = 0; device < 8 && i % 2 == 0; ++device) {
      const GpuId id{fmt::format("GPU-{}-{}", i, device)};
      offer.agent.gpus.push_back({.id = id, .model = "A100", .memory = GiB(40)});
      offer.resources.gpu_ids.push_back(id);
    }
    offers.push_back(std::move(offer));
  }
  return offers;
}

// The fastest of some rounds; nothing if the plan is not the expected one.
double Milliseconds(const Snapshot& snapshot, size_t launches, size_t refusals) {
  double best = 0;
  for (int round = 0; round < kRounds; ++round) {
    const auto start = std::chrono::steady_clock::now();
    const Plan plan = Place(snapshot, kFill);
    const std::chrono::duration<double, std::milli> time = std::chrono::steady_clock::now() - start;
    if (plan.launches.size() != launches || plan.refusals.size() != refusals) return std::nan("");
    best = round == 0 ? time.count() : std::min(best, time.count());
  }
  return best;
}

double OneGang(const std::vector<Offer>& offers) {
  Job job{.name = "gang", .groups = {{.name = "g", .count = kMembers, .cpus_milli = 8'000}}};
  job.groups[0].gpus.count = 1;
  job.groups[0].work = CommandWork{.shell = "true"};
  Snapshot snapshot{.offers = offers};
  snapshot.jobs = {{.job = &job,
                    .role = "*",
                    .groups = {{&job.groups[0], scheduler::MemberRange::First(kMembers), {}, true}},
                    .gang_needed = kMembers}};
  return Milliseconds(snapshot, kMembers, 0);
}

// Of a hundred different sizes, none of which any agent has.
double Reasons(const std::vector<Offer>& offers) {
  std::vector<Job> jobs(kWaiting);
  Snapshot snapshot{.offers = offers};
  for (int i = 0; i < kWaiting; ++i) {
    Job& job = jobs[static_cast<size_t>(i)];
    job = {.name = fmt::format("job-{}", i), .groups = {{.name = "g"}}};
    job.groups[0].cpus_milli = 64'001 + i % 50;
    job.groups[0].gpus.count = i % 2 == 0 ? 0 : 16;
    job.groups[0].work = CommandWork{.shell = "true"};
    snapshot.jobs.push_back(
        {.job = &job,
         .role = "*",
         .groups = {{&job.groups[0], scheduler::MemberRange::First(1), {}, false}}});
  }
  return Milliseconds(snapshot, 0, kWaiting);
}

}  // namespace

std::vector<Measurement> MeasurePlans() {
  const std::vector<Offer> offers = Cluster();
  return {{"gang_of_1000", OneGang(offers), "ms", "KAI, 512 pods", 48'700,
           "a whole plan from 10,000 offers, one device and 8 cores each, without a preference for "
           "racks; published by KAI: a job of 512 pods with topology on 500 nodes"},
          {"reasons_of_100000", Reasons(offers), "ms", "KAI, unschedulable", 249'500,
           "a whole plan from 10,000 offers; 100,000 jobs of one member, 100 different needs; "
           "published by KAI: until one job is known to be unschedulable"}};
}

}  // namespace kiln::bench
