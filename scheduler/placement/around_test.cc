#include "scheduler/placement/around.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kiln::scheduler {
namespace {

using testing::ElementsAre;

Offer OfferOf(const std::string& agent, int64_t cpus_milli) {
  return {.id = {"o-" + agent},
          .agent = {.id = {agent}, .hostname = agent},
          .role = "*",
          .resources = {.cpus_milli = cpus_milli, .mem = GiB(8)}};
}

Job JobOf(const std::string& name, int64_t cpus_milli, int retries = 3) {
  return {.name = name,
          .groups = {{.name = "g",
                      .cpus_milli = cpus_milli,
                      .mem = MiB(64),
                      .work = CommandWork{.shell = "true"}}},
          .retries = retries};
}

WaitingJob Waiting(const Job& job, size_t members) {
  return {.job = &job,
          .role = "*",
          .groups = {{.group = &job.groups[0], .members = MemberRange::First(members)}}};
}

std::vector<std::string> Places(const Plan& plan) {
  std::vector<std::string> places;
  for (const Launch& launch : plan.launches) {
    places.push_back(
        fmt::format("{}{} {}", launch.member.job, launch.member.index, launch.agent.text));
  }
  return places;
}

TEST(PlaceAround, WithoutBarsIsPlace) {
  const Job job = JobOf("j", 1000);
  const Snapshot snapshot{.offers = {OfferOf("a", 2000)}, .jobs = {Waiting(job, 3)}};
  EXPECT_EQ(PlaceAround(snapshot, kFill), Place(snapshot, kFill));
}

TEST(PlaceAround, ABarredAgentGetsNothingAndIsTheReason) {
  const Job job = JobOf("j", 1000), large = JobOf("large", 64'000);
  Snapshot snapshot{.offers = {OfferOf("a", 4000), OfferOf("b", 2000)},
                    .jobs = {Waiting(job, 3), Waiting(large, 1)},
                    .bars = {{{"a"}, {"agent a is quarantined", false, {}}}}};
  Plan plan = PlaceAround(snapshot, kFill);
  EXPECT_THAT(Places(plan), ElementsAre("j0 b", "j1 b"));
  EXPECT_THAT(plan.refusals,
              ElementsAre(Refusal{"j", "g", 1, Blocker::kQuarantine,
                                  "needs 1 cpus: 1 agent offered, the most free is 0 on b; agent a "
                                  "is quarantined"},
                          Refusal{"large", "g", 1, Blocker::kCpus,
                                  "needs 64 cpus: 1 agent offered, the most free is 0 on b"}));
  snapshot.offers.pop_back();
  snapshot.jobs = {Waiting(job, 3)};
  plan = PlaceAround(snapshot, kFill);
  EXPECT_THAT(plan.refusals,
              ElementsAre(Refusal{"j", "g", 3, Blocker::kQuarantine, "agent a is quarantined"}));
}

TEST(PlaceAround, AProbeIsTheSmallestMemberWithARetryLeft) {
  const Job big = JobOf("big", 2000), small = JobOf("small", 500), last = JobOf("last", 100, 0);
  Job gang = JobOf("gang", 100);
  gang.gang_members = 1;
  const Snapshot snapshot{
      .offers = {OfferOf("a", 4000), OfferOf("b", 8000)},
      .jobs = {Waiting(big, 1), Waiting(small, 2), Waiting(last, 1), Waiting(gang, 1)},
      .bars = {{{"a"}, {"agent a is on probation", true, {}}}}};
  Snapshot with_gang = snapshot;
  with_gang.jobs[3].groups[0].in_gang = true;
  with_gang.jobs[3].gang_needed = 1;
  const Plan plan = PlaceAround(with_gang, kFill);
  EXPECT_THAT(Places(plan), ElementsAre("small0 a", "big0 b", "small1 b", "last0 b", "gang0 b"));
  EXPECT_THAT(plan.refusals, testing::IsEmpty());
}

TEST(PlaceAround, ABarredDeviceIsNobodysAndItsAgentServesOthers) {
  Offer offer = OfferOf("a", 8000);
  for (const char* id : {"g0", "g1"}) {
    offer.agent.gpus.push_back({.id = {id}, .model = "A100", .memory = GiB(40)});
    offer.resources.gpu_ids.push_back({id});
  }
  Job one = JobOf("one", 1000), two = JobOf("two", 1000);
  one.groups[0].gpus = two.groups[0].gpus = {.count = 1};
  const Snapshot snapshot{.offers = {offer},
                          .jobs = {Waiting(one, 1), Waiting(two, 1)},
                          .bars = {{{"a"}, {"", false, {{{"g0"}, "gpu g0 is quarantined"}}}}}};
  const Plan plan = PlaceAround(snapshot, kFill);
  ASSERT_THAT(Places(plan), ElementsAre("one0 a"));
  EXPECT_THAT(plan.launches[0].resources.gpu_ids, ElementsAre(GpuId{"g1"}));
  EXPECT_THAT(plan.refusals,
              ElementsAre(Refusal{"two", "g", 1, Blocker::kQuarantine,
                                  "needs 1 gpu: 1 agent offered, the most free is 0 on a; gpu g0 "
                                  "is quarantined"}));
}

TEST(PlaceAround, ABarredDeviceIsNotSharedFurther) {
  const Offer offer = OfferOf("a", 8000);
  Job job = JobOf("j", 1000);
  job.groups[0].gpus = {.share = 0.25};
  Snapshot snapshot{
      .offers = {offer}, .jobs = {Waiting(job, 1)}, .shared = {{{{"a"}, "*"}, {{{"g0"}, 500}}}}};
  ASSERT_THAT(Places(PlaceAround(snapshot, kFill)), ElementsAre("j0 a"));
  snapshot.bars = {{{"a"}, {"", false, {{{"g0"}, "gpu g0 is quarantined"}}}}};
  const Plan plan = PlaceAround(snapshot, kFill);
  EXPECT_THAT(Places(plan), testing::IsEmpty());
  ASSERT_THAT(plan.refusals, testing::SizeIs(1));
  EXPECT_EQ(plan.refusals[0].blocker, Blocker::kQuarantine);
  EXPECT_THAT(plan.refusals[0].reason, testing::EndsWith("; gpu g0 is quarantined"));
}

}  // namespace
}  // namespace kiln::scheduler
