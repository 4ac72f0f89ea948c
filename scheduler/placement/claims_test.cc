#include "scheduler/placement/claims.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "scheduler/placement/place.h"
#include "scheduler/placement/plan.h"
#include "scheduler/placement/policy.h"
#include "scheduler/placement/snapshot.h"

namespace kiln::scheduler {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Job JobOf(const std::string& name, int count, int gang = 0) {
  return {.name = name,
          .role = "*",
          .groups = {{.name = "g", .count = count, .work = CommandWork{.shell = "true"}}},
          .gang_members = gang};
}

WaitingJob WaitingOf(const Job& job) {
  return {.job = &job,
          .role = "*",
          .groups = {{.group = &job.groups[0],
                      .members = MemberRange::First(static_cast<size_t>(job.groups[0].count)),
                      .in_gang = job.gang_members > 0}},
          .gang_needed = job.gang_members};
}

Offer OfferOf(const std::string& agent, int cpus) {
  return {.id = {"o-" + agent},
          .agent = {.id = {agent}, .hostname = agent},
          .role = "*",
          .resources = {.cpus_milli = cpus * 1000, .mem = GiB(8)}};
}

std::vector<std::string> Started(const Plan& plan) {
  std::vector<std::string> started;
  for (const Launch& launch : plan.launches) {
    started.push_back(
        fmt::format("{}.{} on {}", launch.member.job, launch.member.index, launch.agent.text));
  }
  return started;
}

TEST(PlaceByClaims, WhatIsKeptGoesToNobodyElse) {
  const Job first = JobOf("first", 3);
  const Job claimant = JobOf("claimant", 1);
  Snapshot snapshot{.offers = {OfferOf("a", 2), OfferOf("b", 1)},
                    .jobs = {WaitingOf(first), WaitingOf(claimant)}};
  snapshot.claims = {{"claimant", 1, {{"a"}}, {}}};
  const Plan plan = PlaceByClaims(snapshot, kPack);
  EXPECT_THAT(Started(plan), ElementsAre("claimant.0 on a", "first.0 on b"));
  snapshot.claims.clear();
  EXPECT_THAT(Started(PlaceByClaims(snapshot, kPack)),
              ElementsAre("first.0 on b", "first.1 on a", "first.2 on a"));
}

TEST(PlaceByClaims, AGangHoldsWhatIsKeptUntilItFits) {
  const Job gang = JobOf("gang", 3, 3);
  Snapshot snapshot{.offers = {OfferOf("a", 1), OfferOf("b", 1)}, .jobs = {WaitingOf(gang)}};
  snapshot.claims = {{"gang", 3, {{"a"}, {"b"}, {"c"}}, {}, "waits for others"}};
  const Plan plan = PlaceByClaims(snapshot, kPack);
  EXPECT_THAT(plan.launches, IsEmpty());
  EXPECT_THAT(plan.held, ElementsAre(OfferId{"o-a"}, OfferId{"o-b"}));
  EXPECT_THAT(plan.declined, IsEmpty());
  EXPECT_THAT(plan.refusals,
              ElementsAre(Refusal{"gang", "g", 3, Blocker::kPreempting, "waits for others"}));
  snapshot.offers.push_back(OfferOf("c", 1));
  EXPECT_THAT(Started(PlaceByClaims(snapshot, kPack)),
              ElementsAre("gang.0 on a", "gang.1 on b", "gang.2 on c"));
}

TEST(PlaceByClaims, WhatIsKeptForSeveralIsSharedByThem) {
  const Job first = JobOf("first", 1);
  const Job one = JobOf("one", 1);
  const Job other = JobOf("other", 2);
  Snapshot snapshot{.offers = {OfferOf("a", 2), OfferOf("b", 1)},
                    .jobs = {WaitingOf(first), WaitingOf(one), WaitingOf(other)}};
  snapshot.claims = {{"one", 1, {{"a"}, {"b"}}, {}}, {"other", 2, {{"a"}, {"b"}}, {}}};
  EXPECT_THAT(Started(PlaceByClaims(snapshot, kPack)),
              ElementsAre("one.0 on b", "other.0 on a", "other.1 on a"));
}

TEST(PlaceByClaims, MembersWithoutAClaimGoElsewhere) {
  const Job claimant = JobOf("claimant", 3);
  Snapshot snapshot{.offers = {OfferOf("a", 1), OfferOf("b", 8)}, .jobs = {WaitingOf(claimant)}};
  snapshot.claims = {{"claimant", 1, {{"a"}}, {}}};
  EXPECT_THAT(Started(PlaceByClaims(snapshot, kPack)),
              ElementsAre("claimant.0 on a", "claimant.1 on b", "claimant.2 on b"));
}

TEST(PlaceByClaims, APlanThatIsMadeInPartsIsTheSame) {
  const Job first = JobOf("first", 6);
  const Job claimant = JobOf("claimant", 3, 3);
  Snapshot snapshot{.offers = {OfferOf("a", 2), OfferOf("b", 1), OfferOf("c", 2), OfferOf("d", 1)},
                    .jobs = {WaitingOf(first), WaitingOf(claimant)}};
  snapshot.claims = {{"claimant", 3, {{"a"}}, {}, "waits for others"}};
  snapshot.bars = {{{"b"}, {"agent b is quarantined", false, {}}},
                   {{"d"}, {"agent d is on probation", true, {}}}};
  const Plan plan = PlaceByClaims(snapshot, kPack);
  EXPECT_THAT(Started(plan), ElementsAre("first.0 on d", "first.1 on c", "first.2 on c"));
  const auto planning = BeginByClaims(snapshot, kPack);
  while (!planning->GoOn(1)) {
  }
  EXPECT_EQ(planning->Take(), plan);
}

}  // namespace
}  // namespace kiln::scheduler
