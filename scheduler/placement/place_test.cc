// What holds for every plan, over clusters and jobs drawn from a seed.
#include "scheduler/placement/place.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "scheduler/placement/gpus.h"
#include "scheduler/placement/needs.h"

namespace kiln::scheduler {
namespace {

struct World {
  std::vector<Job> jobs;
  Snapshot snapshot;
};

Offer RandomOffer(Random& random, int number) {
  const std::string name = "a" + std::to_string(number / 2);  // some agents offer twice
  Agent agent{.id = {name},
              .hostname = name,
              .zone = std::string(1, static_cast<char>('a' + random.Below(3))),
              .attributes = {{"rack", std::to_string(number / 2 % 4)}}};
  Resources free{.cpus_milli = static_cast<int64_t>(random.Below(9)) * 500,
                 .mem = MiB(static_cast<int64_t>(random.Below(9)) * 512),
                 .disk = GiB(4)};
  if (random.Below(2) == 0) free.revocable_cpus_milli = static_cast<int64_t>(random.Below(9)) * 500;
  const int port = 31000 + 100 * number;
  if (random.Below(2) == 0) free.ports = {{port, port + static_cast<int>(random.Below(6))}};
  const auto gpus = static_cast<int>(random.Below(5));
  for (int i = 0; i < gpus; ++i) {
    const GpuId id{"g" + std::to_string(number) + "-" + std::to_string(i)};
    agent.gpus.push_back({.id = id,
                          .model = random.Below(2) == 0 ? "A100" : "H100",
                          .memory = GiB(random.Below(2) == 0 ? 40 : 80),
                          .link_group = i < 2 ? "x" : "",
                          .link = i < 2 ? GpuLink::kNvlink : GpuLink::kSystem,
                          .healthy = random.Below(5) != 0});
    free += {.gpu_ids = {id}};
  }
  return {.id = {"o" + std::to_string(number)},
          .agent = std::move(agent),
          .role = random.Below(4) == 0 ? "other" : "main",
          .resources = std::move(free)};
}

Group RandomGroup(Random& random, int number) {
  Group group{.name = "g" + std::to_string(number),
              .count = 1 + static_cast<int>(random.Below(6)),
              .cpus_milli = 250 * static_cast<int64_t>(1 + random.Below(6)),
              .mem = MiB(static_cast<int64_t>(1 + random.Below(4)) * 256),
              .ports = static_cast<int>(random.Below(3)),
              .work = CommandWork{.shell = "true"}};
  if (random.Below(3) == 0) group.work = TrainWork{};
  if (random.Below(3) == 0) {
    group.gpus.count = 1 + static_cast<int>(random.Below(2));
  } else if (random.Below(3) == 0) {
    group.gpus.share = 0.3;
  }
  if (group.gpus.count > 0 && random.Below(2) == 0) group.gpus.model = "A100";
  if (group.gpus.count > 1 && random.Below(2) == 0) group.gpus.link = "nvlink";
  group.revocable = !group.gpus.Any() && random.Below(3) == 0;
  const auto op = static_cast<ConstraintOperator>(random.Below(7));
  if (random.Below(3) == 0) {
    const bool counts = op == ConstraintOperator::kMaxPer || op == ConstraintOperator::kGroupBy;
    group.constraints = {{"rack", op, counts ? "2" : ""}};
  }
  return group;
}

// Agents of one name differ per offer only in what is random here, which real ones do not: they are
// made equal.
World RandomWorld(uint64_t seed) {
  Random random(seed);
  World world;
  for (int i = 0; i < 12; ++i) {
    Offer offer = RandomOffer(random, i);
    if (i % 2 == 1) {
      Agent& first = world.snapshot.offers.back().agent;
      first.gpus.insert(first.gpus.end(), offer.agent.gpus.begin(), offer.agent.gpus.end());
      offer.agent = first;
    }
    world.snapshot.offers.push_back(std::move(offer));
  }
  for (int i = 0; i < 5; ++i) {
    Job job{.name = "j" + std::to_string(i), .role = random.Below(4) == 0 ? "other" : "main"};
    for (uint64_t g = 0; g <= random.Below(2); ++g) {
      job.groups.push_back(RandomGroup(random, static_cast<int>(g)));
    }
    if (random.Below(2) == 0) {
      for (const Group& group : job.groups) job.gang_members += group.count;
      const char* levels[] = {"", "", "zone", "rack", "host"};
      job.gang_require = levels[random.Below(5)];
      job.gang_prefer = job.gang_require == "host" ? "" : levels[2 + random.Below(3)];
    }
    world.jobs.push_back(std::move(job));
  }
  world.snapshot.levels = DefaultLevels();
  world.snapshot.executor = {.cpus_milli = 100, .mem = MiB(64)};
  for (Offer& offer : world.snapshot.offers) {
    if (random.Below(4) > 0 || offer.resources.gpu_ids.empty()) continue;
    const GpuId device = offer.resources.gpu_ids[0];  // shared already, half of it free
    offer.resources.gpu_ids.erase(offer.resources.gpu_ids.begin());
    world.snapshot.shared[{offer.agent.id, offer.role}] = {{device, 500}};
  }
  for (const Job& job : world.jobs) {
    WaitingJob waiting{.job = &job, .role = job.role, .gang_needed = job.gang_members};
    for (const Group& group : job.groups) {
      waiting.groups.push_back({.group = &group,
                                .members = MemberRange::First(static_cast<size_t>(group.count)),
                                .in_gang = true});
    }
    world.snapshot.jobs.push_back(std::move(waiting));
  }
  return world;
}

const Group& GroupOf(const World& world, const MemberId& member) {
  for (const Job& job : world.jobs) {
    if (job.name != member.job) continue;
    for (const Group& group : job.groups) {
      if (group.name == member.group) return group;
    }
  }
  ADD_FAILURE() << "no group " << member.group;
  return world.jobs.front().groups.front();
}

const Job& JobOf(const World& world, const std::string& name) {
  return *std::find_if(world.jobs.begin(), world.jobs.end(),
                       [&](const Job& job) { return job.name == name; });
}

// Everything launched into an agent and role, with the executors that come along, is in its offers.
void ExpectNothingGivenTwice(const World& world, const Plan& plan) {
  std::map<std::pair<AgentId, std::string>, Resources> free;
  std::map<std::pair<AgentId, std::string>, std::vector<OfferId>> offers;
  for (const Offer& offer : world.snapshot.offers) {
    free[{offer.agent.id, offer.role}] += offer.resources;
    offers[{offer.agent.id, offer.role}].push_back(offer.id);
  }
  for (const auto& [room, shares] : world.snapshot.shared) free[room].gpu_shares = shares;
  WarmExecutors warm;
  std::set<MemberId> seen;
  for (const Launch& launch : plan.launches) {
    const Job& job = JobOf(world, launch.member.job);
    const Group& group = GroupOf(world, launch.member);
    EXPECT_TRUE(seen.insert(launch.member).second) << "a member starts twice";
    Resources taken = launch.resources;
    EXPECT_EQ(taken.cpus_milli, group.revocable ? 0 : group.cpus_milli);
    EXPECT_EQ(taken.revocable_cpus_milli, group.revocable ? group.cpus_milli : 0);
    EXPECT_EQ(taken.mem, group.mem);
    EXPECT_EQ(taken.PortCount(), group.ports);
    EXPECT_EQ(static_cast<int>(taken.gpu_ids.size()), group.gpus.count);
    Resources& left = free[{launch.agent, job.role}];
    EXPECT_EQ(taken.gpu_shares.size(), group.gpus.share > 0 ? 1U : 0U);
    for (const GpuShare& share : taken.gpu_shares) {
      EXPECT_EQ(share.milli, 300);
      if (!left.Contains({.gpu_ids = {share.id}})) continue;
      OpenDevice(share.id, left);
      taken += world.snapshot.executor;
    }
    if (SharesExecutor(group) && !SharesDevice(group) &&
        warm.Insert(launch.agent, ExecutorPool(job, group, job.role))) {
      taken += ExecutorFor(group, world.snapshot.executor);
    }
    ASSERT_TRUE(left.Contains(taken)) << ToText(left) << " has not " << ToText(taken);
    left -= taken;
    EXPECT_EQ(launch.offers, (offers[{launch.agent, job.role}]));
  }
}

void ExpectSoundGpus(const World& world, const Plan& plan) {
  for (const Launch& launch : plan.launches) {
    const GpuRequest& request = GroupOf(world, launch.member).gpus;
    std::set<std::string> groups;
    std::vector<GpuId> ids = launch.resources.gpu_ids;
    for (const GpuShare& share : launch.resources.gpu_shares) ids.push_back(share.id);
    for (const GpuId& id : ids) {
      for (const Offer& offer : world.snapshot.offers) {
        for (const Gpu& gpu : offer.agent.gpus) {
          if (gpu.id != id) continue;
          EXPECT_TRUE(gpu.healthy);
          EXPECT_TRUE(request.model.empty() || gpu.model == request.model);
          groups.insert(gpu.link_group);
        }
      }
    }
    if (!request.link.empty()) {
      EXPECT_EQ(groups, std::set<std::string>{"x"});
    }
  }
}

void ExpectWholeGangs(const World& world, const Plan& plan) {
  for (const Job& job : world.jobs) {
    if (job.gang_members == 0) continue;
    const auto started = std::count_if(plan.launches.begin(), plan.launches.end(),
                                       [&](const Launch& l) { return l.member.job == job.name; });
    EXPECT_TRUE(started == 0 || started >= job.gang_members) << job.name << " " << started;
  }
}

// A domain is its path.
void ExpectRequiredDomains(const World& world, const Plan& plan) {
  std::map<AgentId, const Agent*> agents;
  for (const Offer& offer : world.snapshot.offers) agents[offer.agent.id] = &offer.agent;
  std::map<std::string, std::set<std::string>> domains;  // by job
  for (const Launch& launch : plan.launches) {
    const std::string& level = JobOf(world, launch.member.job).gang_require;
    if (level.empty()) continue;
    const Agent& agent = *agents.at(launch.agent);
    const std::string path = level == "zone"   ? agent.zone
                             : level == "rack" ? agent.zone + "/" + agent.attributes.at("rack")
                                               : agent.hostname;
    domains[launch.member.job].insert(path);
  }
  for (const auto& [job, paths] : domains) EXPECT_EQ(paths.size(), 1U) << job;
}

// Launched and refused members together are all members.
void ExpectAReasonForEachThatWaits(const World& world, const Plan& plan) {
  for (const Job& job : world.jobs) {
    for (const Group& group : job.groups) {
      int counted = 0;
      for (const Launch& launch : plan.launches) {
        if (launch.member.job == job.name && launch.member.group == group.name) ++counted;
      }
      for (const Refusal& refusal : plan.refusals) {
        if (refusal.job != job.name || refusal.group != group.name) continue;
        counted += refusal.members;
        EXPECT_FALSE(refusal.reason.empty());
      }
      EXPECT_EQ(counted, group.count) << job.name << " " << group.name;
    }
  }
}

// Each offer is used, held or declined, and only one of them.
void ExpectEachOfferAnsweredOnce(const World& world, const Plan& plan) {
  std::set<OfferId> used;
  for (const Launch& launch : plan.launches)
    used.insert(launch.offers.begin(), launch.offers.end());
  std::multiset<OfferId> all(used.begin(), used.end());
  all.insert(plan.held.begin(), plan.held.end());
  all.insert(plan.declined.begin(), plan.declined.end());
  std::multiset<OfferId> offered;
  for (const Offer& offer : world.snapshot.offers) offered.insert(offer.id);
  EXPECT_EQ(all, offered);
  EXPECT_EQ(plan.held.empty(), plan.holder.empty());
}

// Only the chance of ports may fall out otherwise.
std::vector<Launch> WithoutPorts(const Plan& plan) {
  std::vector<Launch> launches = plan.launches;
  for (Launch& launch : launches) launch.resources.ports.clear();
  return launches;
}

void ExpectTheSameInBrief(const World& world, const Policy& policy, const Plan& plan) {
  Snapshot snapshot = world.snapshot;
  snapshot.brief = true;
  const Plan brief = Place(snapshot, policy);
  EXPECT_EQ(WithoutPorts(brief), WithoutPorts(plan));
  EXPECT_EQ(brief.held, plan.held);
  EXPECT_EQ(brief.holder, plan.holder);
  EXPECT_EQ(brief.refusals.empty(), plan.refusals.empty());
}

TEST(Place, EveryPlanIsSound) {
  for (uint64_t seed = 1; seed <= 400; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    const World world = RandomWorld(seed);
    for (const Policy* policy : Policies()) {
      const Plan plan = Place(world.snapshot, *policy);
      ExpectNothingGivenTwice(world, plan);
      ExpectSoundGpus(world, plan);
      ExpectWholeGangs(world, plan);
      ExpectRequiredDomains(world, plan);
      ExpectAReasonForEachThatWaits(world, plan);
      ExpectEachOfferAnsweredOnce(world, plan);
      ExpectTheSameInBrief(world, *policy, plan);
      EXPECT_EQ(plan, Place(world.snapshot, *policy));
      if (testing::Test::HasFailure()) return;
    }
  }
}

TEST(Place, APlanThatIsMadeInPartsIsTheSame) {
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    const World world = RandomWorld(seed);
    for (const Policy* policy : Policies()) {
      const auto planning = BeginPlace(world.snapshot, *policy);
      size_t parts = 1;
      while (!planning->GoOn(1)) ++parts;
      EXPECT_GE(parts, world.snapshot.offers.size() + world.snapshot.jobs.size());
      ASSERT_EQ(planning->Take(), Place(world.snapshot, *policy))
          << "seed " << seed << ", " << policy->name;
    }
  }
}

// What agents lend changes nothing for work that does not ask for it.
TEST(Place, WhatIsLentIsNoMatterOfOthers) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    World world = RandomWorld(seed);
    std::erase_if(world.snapshot.jobs, [](const WaitingJob& job) { return job.IsRevocable(); });
    World without = world;
    for (Offer& offer : without.snapshot.offers) offer.resources.revocable_cpus_milli = 0;
    for (const Policy* policy : Policies()) {
      ASSERT_EQ(Place(world.snapshot, *policy), Place(without.snapshot, *policy))
          << "seed " << seed << ", " << policy->name;
    }
  }
}

// What one group of a job gets, alone in the cluster.
size_t Started(const World& world, const Job& job, size_t offers, const Policy& policy) {
  Snapshot snapshot = world.snapshot;
  snapshot.offers.resize(offers);
  snapshot.jobs = {{.job = &job,
                    .role = job.role,
                    .groups = {{&job.groups[0],
                                MemberRange::First(static_cast<size_t>(job.groups[0].count)),
                                {},
                                job.gang_members > 0}},
                    .gang_needed = job.gang_members}};
  return Place(snapshot, policy).launches.size();
}

// Groups that compete for one agent, and members that are to be spread or to have linked devices,
// may find less in a larger cluster, because nobody looks ahead: that is the exception.
TEST(Place, ALargerClusterNeverRefusesWhatASmallerOneAccepts) {
  for (uint64_t seed = 1; seed <= 150; ++seed) {
    const World world = RandomWorld(seed);
    for (Job job : world.jobs) {
      job.groups.resize(1);
      job.groups[0].gpus.link.clear();
      if (!job.groups[0].constraints.empty()) {
        const auto op = job.groups[0].constraints[0].op;
        if (op == ConstraintOperator::kGroupBy) job.groups[0].constraints.clear();
      }
      if (job.gang_members > 0) job.gang_members = job.groups[0].count;
      for (const Policy* policy : Policies()) {
        size_t before = 0;
        for (size_t offers = 2; offers <= world.snapshot.offers.size(); offers += 2) {
          const size_t started = Started(world, job, offers, *policy);
          ASSERT_GE(started, before) << "seed " << seed << ", " << offers << " offers, job "
                                     << job.name << ", " << policy->name;
          before = started;
        }
      }
    }
  }
}

// The order of offers on the wire is chance: it decides nothing.
TEST(Place, TheOrderOfOffersDecidesNothing) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    World world = RandomWorld(seed);
    const Plan plan = Place(world.snapshot, kPack);
    std::reverse(world.snapshot.offers.begin(), world.snapshot.offers.end());
    Plan reversed = Place(world.snapshot, kPack);
    for (size_t i = 0; i < reversed.launches.size(); ++i) {
      ASSERT_EQ(reversed.launches[i].member, plan.launches[i].member);
      ASSERT_EQ(reversed.launches[i].agent, plan.launches[i].agent);
    }
    ASSERT_EQ(reversed.refusals, plan.refusals);
  }
}

TEST(Place, PortsComeFromAnywhereInTheOffer) {
  Job job{.name = "j", .role = "*", .groups = {{.name = "g", .count = 2, .ports = 3}}};
  job.groups[0].work = CommandWork{.shell = "true"};
  Snapshot snapshot;
  snapshot.offers = {
      {.id = {"o"},
       .agent = {.id = {"a"}},
       .role = "*",
       .resources = {
           .cpus_milli = 4000, .mem = GiB(4), .ports = {{31000, 31003}, {31010, 31013}}}}};
  snapshot.jobs = {
      {.job = &job, .role = "*", .groups = {{&job.groups[0], MemberRange::First(2), {}, false}}}};
  std::set<int> first;
  for (snapshot.seed = 0; snapshot.seed < 100; ++snapshot.seed) {
    const Plan plan = Place(snapshot, kPack);
    ASSERT_EQ(plan.launches.size(), 2U);
    Resources both = plan.launches[0].resources;
    both += plan.launches[1].resources;
    EXPECT_EQ(both.PortCount(), 6);
    EXPECT_TRUE(snapshot.offers[0].resources.Contains(both));
    first.insert(plan.launches[0].resources.ports[0].begin);
  }
  EXPECT_GE(first.size(), 5U);
}

TEST(Place, PoliciesAreFoundByName) {
  EXPECT_EQ(*FindPolicy("spread"), &kSpread);
  EXPECT_EQ(FindPolicy("x").error().message,
            "placement policy is \"x\", expected one of fill, fgd, pack, spread");
}

}  // namespace
}  // namespace kiln::scheduler
