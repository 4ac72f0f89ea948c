#include "wire/net/lifeline.h"

#include <gtest/gtest.h>

#include "wire/net/loop.h"

namespace kiln::net {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class LifelineTest : public testing::Test {
 protected:
  void SetUp() override {
    auto first = Listener::Open("127.0.0.1", 0);
    ASSERT_TRUE(first) << first.error().message;
    address_.emplace(*std::move(first));
    one_ = Lifeline::Open(loop_, address_->Again(), "one");
    port_ = one_->port();
  }
  void Watch() {
    watch_ = LifelineWatch::Open(loop_, {"127.0.0.1", port_, "/"}, "one", [this] {
      ++deaths_;
      loop_.Stop();
    });
  }
  int DeathsWithin(milliseconds time) {
    loop_.RunFor(time);
    return deaths_;
  }
  // A moment in which a line is taken up.
  static constexpr milliseconds kMoment{100};
  // Longer than a death takes to be noticed.
  static constexpr milliseconds kLong{700};

  Loop loop_;
  std::optional<Listener> address_;
  std::unique_ptr<Lifeline> one_;
  int port_ = 0;
  std::unique_ptr<LifelineWatch> watch_;
  int deaths_ = 0;
};

TEST_F(LifelineTest, WhoseAddressRefusesAfterItsLineBrokeIsDead) {
  Watch();
  EXPECT_EQ(DeathsWithin(kMoment), 0);
  address_.reset();
  one_.reset();
  EXPECT_EQ(DeathsWithin(seconds(10)), 1);
  EXPECT_EQ(DeathsWithin(kLong), 1);
}

TEST_F(LifelineTest, WhoseAddressIsAnothersIsDead) {
  Watch();
  EXPECT_EQ(DeathsWithin(kMoment), 0);
  one_ = Lifeline::Open(loop_, address_->Again(), "two");
  EXPECT_EQ(DeathsWithin(seconds(10)), 1);
}

TEST_F(LifelineTest, ALineThatBreaksAndComesBackIsNoDeath) {
  Watch();
  EXPECT_EQ(DeathsWithin(kMoment), 0);
  one_.reset();
  EXPECT_EQ(DeathsWithin(kMoment), 0);
  one_ = Lifeline::Open(loop_, address_->Again(), "one");
  EXPECT_EQ(DeathsWithin(kLong), 0);
  address_.reset();
  one_.reset();
  EXPECT_EQ(DeathsWithin(seconds(10)), 1);
}

TEST_F(LifelineTest, AnAddressThatWasNeverItsOwnSaysNothing) {
  one_ = Lifeline::Open(loop_, address_->Again(), "two");
  Watch();
  EXPECT_EQ(DeathsWithin(kMoment), 0);
  address_.reset();
  one_.reset();
  EXPECT_EQ(DeathsWithin(kLong), 0);
}

TEST_F(LifelineTest, SilenceSaysNothing) {
  Watch();
  EXPECT_EQ(DeathsWithin(kMoment), 0);
  one_.reset();  // the address still takes connections, which nobody answers
  EXPECT_EQ(DeathsWithin(kLong), 0);
}

}  // namespace
}  // namespace kiln::net
