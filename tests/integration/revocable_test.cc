// Cpus that Mesos lends, and the work that asks for them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/integration/cluster.h"

namespace kiln::integration {
namespace {

using testing::Each;
using testing::SizeIs;
using testing::StartsWith;
using wire::Json;

class RevocableTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto up = Local({"up", "--cluster", KILN_SOURCE_ROOT "/examples/clusters/lending.yaml",
                           "--port", "0", "--api-port", "0", "--detach"});
    ASSERT_EQ(up.code, 0) << up.output;
    api_ = Word(up.output, "api     ");
    master_ = Word(up.output, "master  ");
    ASSERT_NE(api_, "") << up.output;
  }
  void TearDown() override { EXPECT_EQ(Local({"down"}).code, 0); }

  static std::string Word(const std::string& text, const std::string& before) {
    const size_t at = text.find(before);
    if (at == std::string::npos) return "";
    const size_t begin = at + before.size();
    return text.substr(begin, text.find('\n', begin) - begin);
  }
  support::RunOutcome Local(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {Program("kiln"), "local", "--dir", folder_.File("local")});
    return support::RunProgram(arguments);
  }
  void Submit(const std::string& name, const std::string& group) {
    const Reply reply =
        Ask("POST", api_ + "/v1/jobs",
            fmt::format(
                "name: {}\nkind: training\nretries: 0\ngroups:\n- {{name: g, mem: 32MiB, {}}}\n",
                name, group));
    ASSERT_EQ(reply.status, 201) << reply.body;
  }
  Json Get(const std::string& path) { return Ask("GET", api_ + path).json; }
  bool Reaches(const std::string& job, const std::string& phase) {
    return support::Eventually([&] { return Get("/v1/jobs/" + job).value("phase", "") == phase; });
  }
  std::vector<Json> Resources(const std::string& job) {
    std::vector<Json> resources;
    const Json tasks = Get("/v1/jobs/" + job + "/tasks");
    for (const Json& task : tasks.at("tasks")) resources.push_back(task.at("resources"));
    return resources;
  }
  // The blocker and the reason of the first group that waits.
  std::pair<std::string, std::string> Why(const std::string& job) {
    const Json refusals = Get("/v1/jobs/" + job + "/why").at("refusals");
    if (refusals.empty()) return {};
    return {refusals[0].at("blocker"), refusals[0].at("reason")};
  }

  support::TempFolder folder_;
  std::string api_;
  std::string master_;
};

TEST_F(RevocableTest, WhatIsLentGoesToWhoAsksForIt) {
  Submit("lent", "cpus: 4, revocable: true, run: {command: sleep 3600}");
  ASSERT_TRUE(support::Eventually([&] { return Get("/v1/jobs/lent").at("running") == 1; }))
      << Get("/v1/jobs/lent/why");
  EXPECT_THAT(Resources("lent"), Each(Json{{"revocable_cpus", 4.0}, {"mem", "32MiB"}}));
  Json used;
  const Json agents = Ask("GET", master_ + "/slaves").json;
  for (const Json& agent : agents.at("slaves")) {
    if (agent.at("hostname") == "agent1") used = agent.at("used_resources");
  }
  EXPECT_EQ(used.at("cpus_revocable"), 4);
  EXPECT_EQ(used.at("cpus"), 0);
  // Nobody else gets it, and what is not lent is free for others all the while.
  Submit("normal", "cpus: 3, run: {command: 'true'}");
  Submit("beside", "count: 3, cpus: 1, run: {command: 'true'}");
  ASSERT_TRUE(Reaches("beside", "SUCCEEDED")) << Get("/v1/jobs/beside/why");
  EXPECT_THAT(Resources("beside"), Each(Json{{"cpus", 1.0}, {"mem", "32MiB"}}));
  Submit("next", "cpus: 1, revocable: true, run: {command: 'true'}");
  const std::pair<std::string, std::string> normal{
      "CPUS", "needs 3 cpus: 2 agents offered, the most free is 2 on agent2"};
  EXPECT_TRUE(support::Eventually([&] { return Why("normal") == normal; }))
      << Get("/v1/jobs/normal/why");
  EXPECT_TRUE(support::Eventually([&] { return Why("next").first == "REVOCABLE"; }))
      << Get("/v1/jobs/next/why");
  EXPECT_THAT(Why("next").second,
              StartsWith("needs 1 revocable cpus: 2 agents offered, the most free is 0 on agent"));
  EXPECT_EQ(Ask("POST", api_ + "/v1/jobs/lent/kill").status, 200);
  EXPECT_TRUE(Reaches("next", "SUCCEEDED")) << Get("/v1/jobs/next/why");
}

// As often as it likes: the job has no retries to lose.
TEST_F(RevocableTest, WhatMesosTakesBackIsStartedAgainAndNotCharged) {
  Submit("lent", "cpus: 4, revocable: true, run: {command: sleep 3600}");
  const auto runs = [&](size_t attempt) {
    return support::Eventually([&] {
      const Json tasks = Get("/v1/jobs/lent/tasks").at("tasks");
      return std::any_of(tasks.begin(), tasks.end(), [&](const Json& task) {
        return task.at("attempt") == attempt && task.at("state") == "TASK_RUNNING";
      });
    });
  };
  for (size_t attempt = 0; attempt < 2; ++attempt) {
    ASSERT_TRUE(runs(attempt)) << Get("/v1/jobs/lent/tasks");
    const Json fault{{"fault", "take_back"}, {"target", "agent1"}};
    ASSERT_EQ(Ask("POST", master_ + "/kiln/fault", wire::DumpJson(fault)).status, 200);
  }
  ASSERT_TRUE(runs(2)) << Get("/v1/jobs/lent/tasks");
  const Json tasks = Get("/v1/jobs/lent/tasks").at("tasks");
  for (const Json& task : tasks) {
    if (task.at("attempt") == 2) continue;
    EXPECT_EQ(task.at("state"), "TASK_GONE");
    EXPECT_EQ(task.at("reason"), "CONTAINER_PREEMPTED");
    EXPECT_EQ(task.at("charge"), "cluster");
  }
  EXPECT_THAT(tasks, SizeIs(3));
}

// Kernel work brings an executor, which Mesos wants to be of the same kind.
TEST_F(RevocableTest, AForestIsTrainedOnIt) {
  const auto submitted =
      support::RunProgram({Program("kiln"), "--api", api_, "job", "submit",
                           KILN_SOURCE_ROOT "/examples/digits/revocable.yaml", "--wait"});
  ASSERT_EQ(submitted.code, 0) << submitted.output << Get("/v1/jobs/digits-revocable/why");
  EXPECT_THAT(Resources("digits-revocable"), SizeIs(3));
  EXPECT_THAT(Resources("digits-revocable"),
              Each(Json{{"revocable_cpus", 1.0}, {"mem", "256MiB"}}));
}

}  // namespace
}  // namespace kiln::integration
