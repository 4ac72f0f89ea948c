#include "wire/zookeeper/leader.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/support/zookeeper_server.h"
#include "wire/net/loop.h"
#include "wire/zookeeper/session.h"

namespace kiln::wire {
namespace {

using Kind = ZookeeperSession::Kind;

TEST(LeaderOf, IsTheMemberWithTheLowestNumber) {
  const std::pair<std::vector<std::string>, std::optional<std::string>> cases[] = {
      {{}, std::nullopt},
      {{"log_replicas"}, std::nullopt},
      {{"json.info_0000000012", "json.info_0000000009", "log_replicas"}, "json.info_0000000009"},
      {{"json.info_0000000003", "info_0000000002"}, "info_0000000002"},
      {{"json.info_0000000003", "0000000002"}, "0000000002"},
      {{"json.info_2147483647", "json.info_-2147483648"}, "json.info_-2147483648"},
      {{"json.info_", "json.info_1x", "json.info_99999999999", "x"}, std::nullopt}};
  for (const auto& [nodes, leader] : cases) EXPECT_EQ(LeaderOf(nodes), leader);
}

// One server for all: it takes a second to start.
class LeaderWatchTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { server_ = std::make_unique<support::ZookeeperServer>(); }
  static void TearDownTestSuite() { server_.reset(); }

  ZookeeperAddress At(const std::string& path, const std::string& credentials = "") const {
    return {server_->address(), path, credentials};
  }
  std::unique_ptr<ZookeeperSession> Session(const ZookeeperAddress& address) {
    auto session = ZookeeperSession::Open(address);
    EXPECT_TRUE(session) << session.error().message;
    return *std::move(session);
  }
  void Watch(const ZookeeperAddress& address) {
    last_.clear();
    watch_ = std::make_unique<LeaderWatch>(
        loop_, address,
        [this](const Result<Leader>& leader) {
          told_.push_back(leader ? leader->content : leader.error().message);
          loop_.Stop();
        },
        std::chrono::seconds(1));
  }
  // What the watch tells next that is new. That a server is slow to answer, and all is as before
  // then, is told only when that is waited for.
  std::string Next(bool trouble = false) {
    for (;;) {
      if (told_.empty()) loop_.RunFor(std::chrono::seconds(20));
      if (told_.empty()) return "nothing was told";
      const std::string next = told_.front();
      told_.erase(told_.begin());
      if (trouble) return next;
      if (next == last_ || next.starts_with("zookeeper at ")) continue;
      return last_ = next;
    }
  }

  static std::unique_ptr<support::ZookeeperServer> server_;
  net::Loop loop_;
  std::unique_ptr<LeaderWatch> watch_;
  std::vector<std::string> told_;
  std::string last_;
};
std::unique_ptr<support::ZookeeperServer> LeaderWatchTest::server_;

TEST_F(LeaderWatchTest, TellsOfEachLeaderFromBeforeThePathIsThere) {
  const ZookeeperAddress address = At("/a/mesos");
  Watch(address);
  const std::string nobody = "nobody leads at " + address.Text();
  EXPECT_EQ(Next(), nobody);
  const auto first = Session(address);
  ASSERT_TRUE(first->MakePath());
  ASSERT_TRUE(first->Create("log_replicas", ""));
  ASSERT_TRUE(first->Create("json.info_", "one", Kind::kNumbered));
  EXPECT_EQ(Next(), "one");
  // A second member does not change who leads, until the session of the first ends.
  auto second = Session(address);
  const auto node = second->Create("json.info_", "two", Kind::kNumbered);
  ASSERT_TRUE(node) << node.error().message;
  ASSERT_TRUE(second->Create("info_", "three", Kind::kNumbered));
  ASSERT_TRUE(first->Remove("json.info_0000000001"));
  EXPECT_EQ(Next(), "two");
  ASSERT_TRUE(second->Remove(*node));
  EXPECT_EQ(Next(), "three");
  second.reset();
  EXPECT_EQ(Next(), nobody);
}

TEST_F(LeaderWatchTest, AClosedFolderIsReadWithTheCredentialsOfItsOwner) {
  const ZookeeperAddress open = At("/closed"), own = At("/closed/mesos", "me:secret");
  ASSERT_TRUE(Session(open)->MakePath());
  auto owner = Session(At("/closed", "me:secret"));
  ASSERT_TRUE(owner->Create("mesos", ""));
  owner = Session(own);
  ASSERT_TRUE(owner->Create("json.info_", "mine", Kind::kNumbered));
  Watch(own);
  EXPECT_EQ(Next(), "mine");
  for (const char* credentials : {"", "me:guess"}) {
    Watch(At("/closed/mesos", credentials));
    EXPECT_EQ(Next(),
              "zookeeper's node /closed/mesos is not for these credentials: expected those of its "
              "owner");
  }
}

TEST_F(LeaderWatchTest, ASessionThatExpiredIsFollowedByAnother) {
  const ZookeeperAddress address = At("/mesos");
  auto master = Session(address);
  ASSERT_TRUE(master->MakePath());
  ASSERT_TRUE(master->Create("json.info_", "before", Kind::kNumbered));
  Watch(address);
  EXPECT_EQ(Next(), "before");
  // The server that comes back knows neither the watch's session nor the master's.
  server_->Stop(true);
  server_->Start();
  EXPECT_EQ(Next(), "nobody leads at " + address.Text());
  master = Session(address);
  ASSERT_TRUE(master->MakePath());
  ASSERT_TRUE(master->Create("json.info_", "after", Kind::kNumbered));
  EXPECT_EQ(Next(), "after");
}

TEST_F(LeaderWatchTest, OfTwoMembersTheFirstLeadsAndTheSecondAfterIt) {
  const ZookeeperAddress address = At("/members");
  ASSERT_TRUE(Session(address)->MakePath());
  const auto member = [&](const std::string& name) {
    return std::make_unique<LeaderWatch>(
        loop_, address,
        [this, name](const Result<Leader>& leader) {
          told_.push_back(
              name + " sees " +
              (leader ? leader->content + (leader->own ? " as itself" : "") : "nobody"));
          loop_.Stop();
        },
        std::chrono::seconds(2), name);
  };
  auto one = member("one");
  EXPECT_EQ(Next(), "one sees nobody");
  EXPECT_EQ(Next(), "one sees one as itself");
  auto two = member("two");
  EXPECT_EQ(Next(), "two sees one");
  // Who is taken out knows it, and stands behind the others.
  two->Expel(LeaderOf(Session(address)->Children("").value()).value());
  std::set<std::string> both = {Next(), Next()};
  EXPECT_EQ(both, (std::set<std::string>{"one sees two", "two sees two as itself"}));
  two->Expel(LeaderOf(Session(address)->Children("").value()).value());
  both = {Next(), Next()};
  EXPECT_EQ(both, (std::set<std::string>{"one sees one as itself", "two sees one"}));
  one.reset();
  EXPECT_EQ(Next(), "two sees two as itself");
  // A member that is thrown out joins anew, and nobody takes it for the one that it was.
  server_->Stop(true);
  server_->Start();
  EXPECT_EQ(Next(), "two sees nobody");
  ASSERT_TRUE(Session(address)->MakePath());
  std::string told = Next();
  while (told == "two sees nobody") told = Next();
  EXPECT_EQ(told, "two sees two as itself");
}

TEST_F(LeaderWatchTest, ServersThatAreNotReachedAreNamedAndTriedAgain) {
  server_->Stop(false);
  const ZookeeperAddress address = At("/other");
  Watch(address);
  EXPECT_EQ(Next(true), "zookeeper at " + address.servers + " is not reached: tries on");
  const auto session = ZookeeperSession::Open(address, std::chrono::milliseconds(500));
  EXPECT_EQ(session.error(),
            (Error{ErrorCode::kUnavailable,
                   "zookeeper at " + address.servers + " is not reached within 0.5s",
                   {}}));
  server_->Start();
  EXPECT_EQ(Next(), "nobody leads at " + address.Text());
  Watch({"no-such-host.invalid:2181", "/mesos", ""});
  EXPECT_TRUE(Next(true).starts_with("zookeeper at no-such-host.invalid:2181 "));
}

}  // namespace
}  // namespace kiln::wire
