// Where gangs go that ask to be near each other, as whole plans.
#include "scheduler/placement/gathering.h"

#include <gmock/gmock.h>

#include "scheduler/placement/place.h"

namespace kiln::scheduler {
namespace {

using testing::ElementsAre;
using testing::Pair;

// An agent of so many cores for each path "zone/rack", in their order: a0, a1 and so on.
std::vector<Offer> Cluster(const std::vector<std::pair<std::string, int>>& agents) {
  std::vector<Offer> offers;
  for (const auto& [path, cpus] : agents) {
    const std::string name = "a" + std::to_string(offers.size());
    const size_t slash = path.find('/');
    offers.push_back({.id = {"o-" + name},
                      .agent = {.id = {name},
                                .hostname = name,
                                .zone = path.substr(0, slash),
                                .attributes = {{"rack", path.substr(slash + 1)}}},
                      .role = "*",
                      .resources = {.cpus_milli = 1000 * cpus, .mem = GiB(64)}});
  }
  return offers;
}

// A gang of groups of so many members with so many cores each.
Job Gang(const std::vector<std::pair<int, int>>& groups) {
  Job job{.name = "j"};
  for (const auto& [count, cpus] : groups) {
    job.groups.push_back({.name = "g" + std::to_string(job.groups.size()),
                          .count = count,
                          .cpus_milli = 1000 * cpus,
                          .work = CommandWork{.shell = "true"}});
    job.gang_members += count;
  }
  return job;
}

Snapshot Waiting(const Job& job, std::vector<Offer> offers) {
  Snapshot snapshot{.offers = std::move(offers), .levels = DefaultLevels()};
  snapshot.jobs = {{.job = &job, .role = "*", .gang_needed = job.gang_members}};
  for (const Group& group : job.groups) {
    snapshot.jobs[0].groups.push_back(
        {.group = &group,
         .members = MemberRange::First(static_cast<size_t>(group.count)),
         .in_gang = true});
  }
  return snapshot;
}

// How many members of a group went to an agent.
std::map<std::pair<std::string, std::string>, int> Places(const Plan& plan) {
  std::map<std::pair<std::string, std::string>, int> places;
  for (const Launch& launch : plan.launches) ++places[{launch.member.group, launch.agent.text}];
  return places;
}

TEST(Gathering, AllGroupsOfAGangAreInOneDomain) {
  Job job = Gang({{4, 1}, {1, 4}});
  job.gang_require = "rack";
  // r0 has room for either group, not for both.
  const auto plan = [&](std::vector<std::pair<std::string, int>> agents) {
    return Place(Waiting(job, Cluster(agents)), kFill);
  };
  EXPECT_THAT(Places(plan({{"z/r0", 4}, {"z/r1", 6}, {"z/r1", 4}})),
              ElementsAre(Pair(Pair("g0", "a2"), 4), Pair(Pair("g1", "a1"), 1)));
  const Plan none = plan({{"z/r0", 4}, {"z/r1", 5}});
  EXPECT_THAT(none.launches, ElementsAre());
  ASSERT_EQ(none.refusals.size(), 2U);
  EXPECT_EQ(none.refusals[0],
            (Refusal{"j", "g0", 4, Blocker::kTopology,
                     "needs 5 members in one rack: 2 racks, the most that fit is 4 in r0: the next "
                     "needs 4 cpus: 1 agent offered, the most free is 0 on a0"}));
  EXPECT_THAT(none.held, ElementsAre(OfferId{"o-a0"}));
}

TEST(Gathering, LiveMembersOfOtherGroupsFixTheDomain) {
  Job job = Gang({{2, 1}, {2, 1}});
  job.gang_require = "rack";
  Snapshot snapshot = Waiting(job, Cluster({{"z/r0", 4}, {"z/r1", 1}, {"y/r1", 8}}));
  // The agent of the other group's members has nothing left to offer.
  const std::map<AgentId, Agent> agents = {
      {{"full"}, {.id = {"full"}, .zone = "z", .attributes = {{"rack", "r1"}}}}};
  snapshot.agents = &agents;
  snapshot.jobs[0].groups.erase(snapshot.jobs[0].groups.begin());
  snapshot.jobs[0].gang_needed = 2;
  snapshot.jobs[0].placed = {{"full"}, {"full"}};
  Plan plan = Place(snapshot, kFill);
  EXPECT_THAT(plan.launches, ElementsAre());
  EXPECT_EQ(plan.refusals[0].reason,
            "needs 2 members in rack z/r1, where 2 run: 1 fits: the next needs 1 cpus: 1 agent "
            "offered, the most free is 0 on a1");
  // Growth is not all or nothing.
  snapshot.jobs[0].gang_needed = 0;
  EXPECT_THAT(Places(Place(snapshot, kFill)), ElementsAre(Pair(Pair("g1", "a1"), 1)));
  // A rack that offers nothing is the one all the same.
  snapshot.offers.erase(snapshot.offers.begin() + 1);
  plan = Place(snapshot, kFill);
  EXPECT_THAT(plan.launches, ElementsAre());
  EXPECT_EQ(plan.refusals[0].reason, "needs 2 members in rack z/r1, where 2 run: 0 fit");
}

TEST(Gathering, APreferredDomainDrawsThoseThatComeLater) {
  Job job = Gang({{3, 1}});
  job.gang_prefer = "rack";
  Snapshot snapshot = Waiting(job, Cluster({{"y/r0", 3}, {"z/r1", 1}, {"z/r2", 8}, {"z/r1", 1}}));
  EXPECT_THAT(Places(Place(snapshot, kFill)), ElementsAre(Pair(Pair("g0", "a0"), 3)));
  const std::map<AgentId, Agent> agents = {{{"a1"}, snapshot.offers[1].agent}};
  snapshot.agents = &agents;
  snapshot.jobs[0].placed = {{"a1"}};
  snapshot.jobs[0].gang_needed = 0;
  // In its rack there is room for two, the third stays in the zone.
  EXPECT_THAT(
      Places(Place(snapshot, kFill)),
      ElementsAre(Pair(Pair("g0", "a1"), 1), Pair(Pair("g0", "a2"), 1), Pair(Pair("g0", "a3"), 1)));
}

TEST(Gathering, WhatShapesDoNotShowIsSeenWhenItIsTried) {
  Job job = Gang({{2, 1}});
  job.gang_prefer = "rack";
  job.groups[0].constraints = {{"hostname", ConstraintOperator::kUnique, ""}};
  // The tightest rack has room, but on one host.
  EXPECT_THAT(Places(Place(Waiting(job, Cluster({{"z/r0", 2}, {"z/r1", 2}, {"z/r1", 2}})), kFill)),
              ElementsAre(Pair(Pair("g0", "a1"), 1), Pair(Pair("g0", "a2"), 1)));
}

TEST(Gathering, ALevelThatIsUnknownIsAWishOfNobody) {
  Job job = Gang({{2, 1}});
  job.gang_prefer = "row";
  const std::vector<Offer> offers = Cluster({{"z/r0", 8}});
  EXPECT_EQ(Place(Waiting(job, offers), kFill).launches.size(), 2U);
  job.gang_require = "row";
  EXPECT_EQ(Place(Waiting(job, offers), kFill).refusals[0].reason,
            "needs 2 members in one row: no agent that offers says its row");
}

}  // namespace
}  // namespace kiln::scheduler
