#include "scheduler/lifecycle/offer_book.h"

#include <gmock/gmock.h>

namespace kiln::scheduler {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class OfferBookTest : public testing::Test {
 protected:
  OfferBookTest() { book_.Clear(clock_.Now()); }

  void Add(const std::string& id, const std::string& agent, int64_t cpus) {
    book_.Add({.id = {id},
               .agent = {.id = {agent}},
               .role = "*",
               .resources = {.cpus_milli = cpus},
               .received = clock_.Now()});
  }
  OfferCalls Settle(const Plan& plan = {}, const std::set<std::string>& wanted = {},
                    const std::set<std::string>& elsewhere = {}) {
    return book_.Settle(plan, wanted, elsewhere, clock_.Now());
  }
  static Plan Refused(Blocker blocker) { return {.refusals = {{"j", "g", 1, blocker, "because"}}}; }

  ManualClock clock_;
  OfferSettings settings_;
  OfferBook book_{settings_, {"*"}};
};

TEST_F(OfferBookTest, OffersStayForAWhileThenGoBackAndTheRoleIsSuppressed) {
  Add("o1", "a1", 1000);
  EXPECT_EQ(Settle(), OfferCalls{});
  EXPECT_EQ(book_.Next(clock_.Now()), clock_.Now() + settings_.keep_idle);
  clock_.Advance(settings_.keep_idle);
  EXPECT_EQ(Settle(), (OfferCalls{.declines = {{{{"o1"}}, settings_.refuse}}, .suppress = {"*"}}));
  EXPECT_EQ(Settle(), OfferCalls{});
  EXPECT_EQ(book_.Next(clock_.Now()), std::nullopt);
  EXPECT_THAT(book_.Known(), SizeIs(1)) << "what the agent had free is remembered";
}

TEST_F(OfferBookTest, WorkRevivesASuppressedRoleAtOnce) {
  clock_.Advance(settings_.keep_idle);
  EXPECT_THAT(Settle().suppress, ElementsAre("*"));
  EXPECT_THAT(Settle({}, {"*"}).revive, ElementsAre("*"));
  EXPECT_THAT(Settle({}, {"*"}).revive, IsEmpty());
}

TEST_F(OfferBookTest, UselessOffersGoBackAtOnceWhenWorkWaits) {
  Add("o1", "a1", 1000);
  EXPECT_THAT(Settle(Refused(Blocker::kCpus), {"*"}).declines,
              ElementsAre(DeclineCall{{{"o1"}}, settings_.refuse}));
  Add("o2", "a1", 1000);
  EXPECT_THAT(Settle(Refused(Blocker::kGang), {"*"}).declines,
              ElementsAre(DeclineCall{{{"o2"}}, settings_.refuse_gang}));
  Add("o3", "a1", 1000);
  EXPECT_THAT(Settle(Refused(Blocker::kTopology), {"*"}).declines,
              ElementsAre(DeclineCall{{{"o3"}}, settings_.refuse_gang}));
}

TEST_F(OfferBookTest, RevivesThatBringNothingGrowRare) {
  std::vector<Duration> pauses;
  Instant last = clock_.Now();
  for (int i = 0; i < 3000; ++i) {
    if (!Settle({}, {"*"}, {"*"}).revive.empty()) {
      pauses.push_back(clock_.Now() - last);
      last = clock_.Now();
    }
    clock_.Advance(milliseconds(100));
  }
  EXPECT_EQ(pauses[1], seconds(1));
  EXPECT_EQ(pauses[2], seconds(2));
  EXPECT_EQ(pauses.back(), settings_.revive_max);
  Add("o1", "a1", 1000);
  clock_.Advance(settings_.revive_min);
  EXPECT_THAT(Settle({}, {"*"}, {"*"}).revive, ElementsAre("*"))
      << "an answer makes it quick again";
}

// The agent that has what fits may be gone, which Mesos does not know yet.
TEST_F(OfferBookTest, RevivesWhoseOffersAreOfNoUseGrowRare) {
  Add("o1", "a1", 3000);
  clock_.Advance(settings_.keep_idle);
  Settle();
  const auto revive_for = [&](Duration time) {
    int count = 0;
    for (const Instant end = clock_.Now() + time; clock_.Now() < end;) {
      if (!Settle(Refused(Blocker::kMem), {"*"}, {"*"}).revive.empty()) {
        ++count;
        Add(fmt::format("o2-{}-{}", count, clock_.Now().Seconds()), "a2", 1000);
      }
      clock_.Advance(milliseconds(1));
    }
    return count;
  };
  EXPECT_EQ(revive_for(seconds(2)), 9);
  const std::vector<OfferId> offers = {{"o3"}};
  Add("o3", "a2", 1000);
  book_.Spend({{&offers, {.cpus_milli = 1000}}}, clock_.Now());
  EXPECT_EQ(revive_for(milliseconds(9)), 1) << "one of use makes it quick again";
}

// One role that it does not know, and the master drops the whole call without a word.
TEST_F(OfferBookTest, ARoleThatTheFrameworkHasNotIsNeverRevived) {
  clock_.Advance(settings_.keep_idle);
  EXPECT_THAT(Settle().suppress, ElementsAre("*"));
  EXPECT_EQ(Settle({}, {"gone"}, {"gone"}), OfferCalls{});
  EXPECT_EQ(Settle({}, {"*", "gone"}, {"gone"}), OfferCalls{.revive = {"*"}});
}

TEST_F(OfferBookTest, SilenceAfterAReviveMeansThatNothingIsFree) {
  Add("o1", "a1", 1000);
  book_.Rescind({"o1"});
  Add("o2", "a2", 2000);
  clock_.Advance(settings_.keep_idle);
  Settle();
  EXPECT_THAT(Settle({}, {"*"}, {"*"}).revive, ElementsAre("*"));
  clock_.Advance(settings_.revive_answer);
  Settle({}, {"*"});
  for (const Offer& offer : book_.Known()) EXPECT_TRUE(offer.resources.Empty());
}

TEST_F(OfferBookTest, AnAgentThatIsSilentHasNothingFreeHoweverOftenOthersAnswer) {
  Add("o1", "a1", 1000);
  clock_.Advance(settings_.keep_idle);
  Settle();
  for (int i = 0; i < 5; ++i) {
    EXPECT_THAT(Settle({}, {"*"}, {"*"}).revive, ElementsAre("*"));
    clock_.Advance(settings_.revive_answer / 4);
    Add(fmt::format("o2{}", i), "a2", 2000);
  }
  EXPECT_TRUE(book_.KnownOf({"a1"}, "*")->resources.Empty());
  EXPECT_FALSE(book_.KnownOf({"a2"}, "*")->resources.Empty());
}

TEST_F(OfferBookTest, SpentOffersLeaveTheirRestInMemory) {
  Add("o1", "a1", 3000);
  Add("o2", "a1", 1000);
  const std::vector<OfferId> offers = {{"o1"}, {"o2"}};
  book_.Spend({{&offers, {.cpus_milli = 2000}}, {&offers, {.cpus_milli = 500}}}, clock_.Now());
  EXPECT_FALSE(book_.HasHand());
  ASSERT_THAT(book_.Known(), SizeIs(1));
  EXPECT_EQ(book_.Known()[0].resources.cpus_milli, 1500);
  book_.Freed({"a1"}, "*", {.cpus_milli = 500});
  EXPECT_EQ(book_.Known()[0].resources.cpus_milli, 2000);
}

TEST_F(OfferBookTest, AHoldEndsAndItsGangRestsAsLong) {
  Add("o1", "a1", 1000);
  Plan holding = Refused(Blocker::kGang);
  holding.held = {{"o1"}};
  holding.holder = "gang";
  EXPECT_THAT(Settle(holding, {"*"}).declines, IsEmpty());
  EXPECT_TRUE(book_.MayHold("gang", clock_.Now()));
  EXPECT_EQ(book_.Next(clock_.Now()), clock_.Now() + settings_.keep_idle);
  clock_.Advance(settings_.hold);
  EXPECT_FALSE(book_.MayHold("gang", clock_.Now()));
  EXPECT_THAT(Settle(Refused(Blocker::kGang), {"*"}).declines, SizeIs(1));
  EXPECT_FALSE(book_.MayHold("gang", clock_.Now()));
  EXPECT_TRUE(book_.MayHold("other", clock_.Now()));
  clock_.Advance(settings_.hold);
  EXPECT_TRUE(book_.MayHold("gang", clock_.Now()));
}

TEST_F(OfferBookTest, ASubscriptionVoidsAllOffers) {
  Add("o1", "a1", 1000);
  book_.Clear(clock_.Now());
  EXPECT_FALSE(book_.HasHand());
}

TEST_F(OfferBookTest, WhatAnEarlierLifeDeclinedIsAskedForOnce) {
  book_.AskForAll();
  EXPECT_THAT(Settle().revive, ElementsAre("*"));
  clock_.Advance(seconds(1));
  EXPECT_EQ(Settle(), OfferCalls{});
}

TEST_F(OfferBookTest, WhatIsDeclinedAfterAReviveIsKnownAllTheSame) {
  Add("o1", "a1", 1000);
  clock_.Advance(milliseconds(1));
  book_.AskForAll();
  Settle();
  clock_.Advance(milliseconds(1));
  EXPECT_THAT(Settle(Refused(Blocker::kCpus), {"*"}).declines, SizeIs(1));
  clock_.Advance(settings_.revive_answer);
  Settle();
  EXPECT_EQ(book_.Free()[0], 1000);
}

TEST_F(OfferBookTest, ADeviceThatTheInventoryLeavesOutIsADevice) {
  book_.Add({.id = {"o"}, .agent = {.id = {"a"}}, .role = "*", .resources = {.gpu_ids = {{"g"}}}});
  EXPECT_THAT(book_.LendHand()[0].agent.gpus, ElementsAre(Gpu{.id = {"g"}}));
}

}  // namespace
}  // namespace kiln::scheduler
