#include "tests/benchmarks/placement/plans.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "base/random.h"
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
constexpr int kRounds = 7;
constexpr int kRacks = 250;
constexpr int kZones = 10;

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

// The same in racks of 40 agents and zones of 25 racks. Some racks are nearly empty and some
// nearly full: of a rack's devices, and of its cores, a part that chance gives is in use.
std::vector<Offer> UsedCluster() {
  std::vector<Offer> offers = Cluster();
  Random random(1);
  std::vector<uint64_t> used;  // percent, by rack
  for (int rack = 0; rack < kRacks; ++rack) used.push_back(random.Below(100));
  for (int i = 0; i < kAgents; ++i) {
    // Ids of agents do not tell where they stand.
    const int rack = i % kRacks;
    Offer& offer = offers[static_cast<size_t>(i)];
    offer.agent.zone = fmt::format("zone-{}", rack % kZones);
    offer.agent.attributes["rack"] = fmt::format("rack-{:03}", rack);
    const auto is_used = [&] { return random.Below(100) < used[static_cast<size_t>(rack)]; };
    std::erase_if(offer.resources.gpu_ids, [&](const GpuId&) { return is_used(); });
    for (int core = 0; core < 64; ++core) {
      if (is_used()) offer.resources.cpus_milli -= 1000;
    }
  }
  return offers;
}

// The median of some rounds; nothing if the plan is not the expected one.
double Milliseconds(const Snapshot& snapshot, size_t launches, size_t refusals) {
  std::vector<double> times;
  for (int round = 0; round < kRounds; ++round) {
    const double start = ProcessorMilliseconds();
    const Plan plan = Place(snapshot, kFill);
    const double time = ProcessorMilliseconds() - start;
    if (plan.launches.size() != launches || plan.refusals.size() != refusals) return std::nan("");
    times.push_back(time);
  }
  return Quantile(std::move(times), 0.5);
}

struct Outcome {
  double milliseconds = 0;
  double racks = 0;  // in which members are
};

Outcome OneGang(const std::vector<Offer>& offers, const std::string& prefer) {
  Job job{.name = "gang", .groups = {{.name = "g", .count = kMembers, .cpus_milli = 8'000}}};
  job.groups[0].gpus.count = 1;
  job.groups[0].work = CommandWork{.shell = "true"};
  job.gang_prefer = prefer;
  Snapshot snapshot{.offers = offers, .levels = scheduler::DefaultLevels()};
  snapshot.jobs = {{.job = &job,
                    .role = "*",
                    .groups = {{&job.groups[0], scheduler::MemberRange::First(kMembers), {}, true}},
                    .gang_needed = kMembers}};
  std::map<AgentId, std::string_view> rack_of;
  for (const Offer& offer : offers) {
    rack_of[offer.agent.id] = scheduler::DomainOf(offer.agent, "rack");
  }
  std::set<std::string_view> racks;
  for (const auto& launch : Place(snapshot, kFill).launches) racks.insert(rack_of[launch.agent]);
  return {Milliseconds(snapshot, kMembers, 0), static_cast<double>(racks.size())};
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
  const std::vector<Offer> used = UsedCluster();
  const Outcome near = OneGang(used, "rack");
  const Outcome anywhere = OneGang(used, "");
  return {
      {"gang_of_1000", OneGang(offers, "").milliseconds, "ms", "KAI, 512 pods", 48'700,
       "a whole plan from 10,000 offers, one device and 8 cores each, without a preference for "
       "racks; published by KAI: a job of 512 pods with topology on 500 nodes"},
      {"gang_of_1000_near", near.milliseconds, "ms", "without a preference", anywhere.milliseconds,
       "the same gang prefers a rack; 10,000 agents in 250 racks of 10 zones, about half in "
       "use, each rack otherwise; at most 20 ms"},
      {"gang_of_1000_near_racks", near.racks, "racks", "without a preference", anywhere.racks,
       "in which the members of that gang are"},
      {"reasons_of_100000", Reasons(offers), "ms", "KAI, unschedulable", 249'500,
       "a whole plan from 10,000 offers; 100,000 jobs of one member, 100 different needs; "
       "published by KAI: until one job is known to be unschedulable"}};
}

}  // namespace kiln::bench
