#include "scheduler/daemon/standby.h"

#include <gtest/gtest.h>

#include "wire/records/records.h"
#include "wire/rest/json.h"

namespace kiln::scheduler {
namespace {

using std::chrono::milliseconds;

class FakeFollower final : public StoreFollower {
 public:
  explicit FakeFollower(std::shared_ptr<std::optional<News>> news) : news_(std::move(news)) {}
  Result<News> Next() override {
    if (*news_) return *std::exchange(*news_, News{});
    return Fail(ErrorCode::kUnavailable, "zookeeper is away");
  }
  void Restart() override { *news_ = whole_; }

 private:
  const std::shared_ptr<std::optional<News>> news_;  // none: an error
  const News whole_ = news_->value_or(News{});
};

class StandbyTest : public testing::Test {
 protected:
  void Begin(std::optional<News> news) {
    *news_ = std::move(news);
    standby_.emplace(loop_, std::make_unique<FakeFollower>(news_), DefaultLevels(),
                     [this] { return leader_; });
    loop_.RunFor(milliseconds(100));
  }
  static News OneJob() {
    const JobRecord record{
        .job = {.name = "a", .groups = {{.name = "g", .count = 2, .work = CommandWork{}}}}};
    return {true, {{"job", "a", wire::Encode(record)}}};
  }
  // "here", or the status and where it sends the call.
  std::string Asked(const char* method, const char* pattern, const std::string& target) {
    const Route route{method, pattern, "", {}};
    const auto response = standby_->Before({.method = method, .target = target}, &route);
    if (!response) return "here";
    return fmt::format("{} {}", response->status, response->headers.Get("Location").value_or(""));
  }

  net::Loop loop_;
  Result<std::string> leader_ = std::string("http://one:1");
  const std::shared_ptr<std::optional<News>> news_ = std::make_shared<std::optional<News>>();
  std::optional<Standby> standby_;
};

TEST_F(StandbyTest, WhatIsRememberedIsReadHereAndTheRestIsTheLeaders) {
  Begin(OneJob());
  struct Case {
    const char* method;
    const char* pattern;
    std::string with_leader, without;
  };
  for (const Case& one : {Case{"GET", "/v1/jobs", "here", "here"},
                          {"GET", "/v1/jobs/{name}/tasks", "here", "here"},
                          {"GET", "/v1/schema/job", "here", "here"},
                          {"GET", "/v1/jobs/{name}/why", "307 http://one:1/x?y", "here"},
                          {"GET", "/v1/roles", "307 http://one:1/x?y", "503 "},
                          {"GET", "/v1/events", "307 http://one:1/x?y", "503 "},
                          {"POST", "/v1/jobs", "307 http://one:1/x?y", "503 "},
                          {"PUT", "/v1/artifacts/{path...}", "307 http://one:1/x?y", "503 "}}) {
    leader_ = std::string("http://one:1");
    EXPECT_EQ(Asked(one.method, one.pattern, "/x?y"), one.with_leader) << one.pattern;
    leader_ = Fail(ErrorCode::kUnavailable, "zookeeper is away");
    EXPECT_EQ(Asked(one.method, one.pattern, "/x?y"), one.without) << one.pattern;
  }
  EXPECT_EQ(standby_->Why("a")[0].blocker, Blocker::kNotConnected);
  EXPECT_EQ(standby_->Why("a")[0].members, 2);
}

TEST_F(StandbyTest, ItSaysHowOldAnAnswerIsAndSendsWhoMissesSomethingToTheLeader) {
  Begin(OneJob());
  EXPECT_TRUE(standby_->state().jobs.contains("a"));
  net::Response found{200, {}, ""}, missing{404, {}, ""};
  standby_->After({}, found);
  EXPECT_EQ(found.headers.Get("Age"), "0");
  standby_->After({.target = "/v1/jobs/b"}, missing);
  EXPECT_EQ(missing.status, 307);
  EXPECT_EQ(missing.headers.Get("Location"), "http://one:1/v1/jobs/b");
  leader_ = Fail(ErrorCode::kUnavailable, "zookeeper is away");
  missing = {404, {}, ""};
  standby_->After({.target = "/v1/jobs/b"}, missing);
  EXPECT_EQ(missing.status, 404);
  // What is written goes on to be read.
  *news_ = {false, {{"job", "a", std::nullopt}}};
  loop_.RunFor(milliseconds(400));
  EXPECT_TRUE(standby_->state().jobs.empty());
}

TEST_F(StandbyTest, WhatCannotBeReadIsNotForgotten) {
  const News garbage{true, {{"job", "a", "garbage"}}};
  Begin(garbage);
  loop_.RunFor(milliseconds(600));
  EXPECT_EQ(Asked("GET", "/v1/jobs", "/v1/jobs"), "307 http://one:1/v1/jobs");
  // One change that is newer than this program, and all that follows it.
  Begin(OneJob());
  *news_ = {false, {{"job", "b", "garbage"}}};
  loop_.RunFor(milliseconds(400));
  EXPECT_TRUE(standby_->state().jobs.contains("a"));
  const auto health = standby_->Before({.target = "/v1/health"}, nullptr);
  EXPECT_NE(wire::ParseJson(health->body)->at("problem"), "");
  loop_.RunFor(milliseconds(400));
  EXPECT_TRUE(standby_->state().jobs.contains("a")) << "as all records say";
}

TEST_F(StandbyTest, BeforeAnythingIsReadAllIsTheLeaders) {
  Begin(std::nullopt);
  EXPECT_EQ(Asked("GET", "/v1/jobs", "/v1/jobs"), "307 http://one:1/v1/jobs");
  leader_ = Fail(ErrorCode::kUnavailable, "nobody leads");
  EXPECT_EQ(Asked("GET", "/v1/jobs", "/v1/jobs"), "503 ");
  const auto health = standby_->Before({.target = "/v1/health"}, nullptr);
  EXPECT_EQ(health->status, 202);
  EXPECT_EQ(wire::ParseJson(health->body)->at("problem"), "nobody leads");
}

}  // namespace
}  // namespace kiln::scheduler
