// Two hundred agents of many shapes in one local Mesos, brought up as a user does.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "tests/integration/cluster.h"

namespace kiln::integration {
namespace {

using testing::SizeIs;
using wire::Json;

class ManyAgentsTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto up = Local({"up", "--cluster", KILN_SOURCE_ROOT "/examples/clusters/racks.yaml",
                           "--port", "0", "--api-port", "0", "--detach"});
    ASSERT_EQ(up.code, 0) << up.output;
    const size_t at = up.output.find("api     ");
    ASSERT_NE(at, std::string::npos) << up.output;
    api_ = up.output.substr(at + 8, up.output.find('\n', at) - at - 8);
  }
  void TearDown() override { EXPECT_EQ(Local({"down"}).code, 0); }

  support::RunOutcome Local(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {Program("kiln"), "local", "--dir", folder_.File("local")});
    return support::RunProgram(arguments);
  }
  void Submit(const std::string& job) {
    const Reply reply = Ask("POST", api_ + "/v1/jobs", job);
    ASSERT_EQ(reply.status, 201) << reply.body;
  }
  Json Get(const std::string& path) { return Ask("GET", api_ + path).json; }
  bool Reaches(const std::string& job, const std::string& phase) {
    return support::Eventually([&] { return Get("/v1/jobs/" + job).value("phase", "") == phase; });
  }
  // What an attribute of the agents says where the members of a job are, and how many there are.
  std::map<std::string, int> Spread(const std::string& job, const std::string& attribute) {
    std::map<std::string, std::string> values;
    const Json agents = Get("/v1/agents");
    for (const Json& agent : agents.at("agents")) {
      values[agent.at("id")] = agent.at("attributes").value(attribute, "");
    }
    std::map<std::string, int> spread;
    const Json tasks = Get("/v1/jobs/" + job + "/tasks");
    for (const Json& task : tasks.at("tasks")) ++spread[values.at(task.at("agent_id"))];
    return spread;
  }

  support::TempFolder folder_;
  std::string api_;
};

TEST_F(ManyAgentsTest, JobsFindTheShapesThatTheyAskFor) {
  Submit(R"(
name: gang
kind: training
gang: all
groups:
- {name: g, count: 10, cpus: 4, mem: 64MiB, gpus: {count: 4, model: A100, link: nvlink},
   constraints: [[rack, GROUP_BY, 10]], run: {command: 'true'}})");
  Submit(R"(
name: fast
kind: training
groups:
- {name: g, count: 8, cpus: 1, mem: 16MiB, constraints: [[disk, IS, nvme], [hostname, UNIQUE]],
   run: {command: 'true'}})");
  Submit(R"(
name: halves
kind: training
groups:
- {name: g, count: 2, cpus: 0.5, mem: 16MiB, gpus: {share: 0.5, model: T4},
   run: {command: 'echo $CUDA_VISIBLE_DEVICES $KILN_INDEX; sleep 1'}})");
  Submit(R"(
name: huge
kind: training
groups:
- {name: g, cpus: 1, mem: 16MiB, gpus: {count: 9, model: H100}, run: {command: 'true'}})");
  ASSERT_TRUE(Reaches("gang", "SUCCEEDED")) << Get("/v1/jobs/gang/why");
  ASSERT_TRUE(Reaches("fast", "SUCCEEDED")) << Get("/v1/jobs/fast/why");
  // Those that had nothing to do may come later.
  EXPECT_TRUE(support::Eventually([&] { return Get("/v1/agents").at("agents").size() == 200; }));
  // One in each of the ten racks, with four joined devices each.
  EXPECT_THAT(Spread("gang", "rack"), SizeIs(10));
  EXPECT_EQ(Spread("fast", "disk"), (std::map<std::string, int>{{"nvme", 8}}));
  // Both on one device, side by side.
  ASSERT_TRUE(Reaches("halves", "SUCCEEDED")) << Get("/v1/jobs/halves/why");
  const Json halves = Get("/v1/jobs/halves/tasks").at("tasks");
  ASSERT_THAT(halves, SizeIs(2));
  const Json share = halves[0].at("resources").at("gpu_shares");
  EXPECT_EQ(share.begin().value(), 0.5) << share;
  EXPECT_EQ(halves[1].at("resources").at("gpu_shares"), share);
  EXPECT_LT(halves[1].at("started"), halves[0].at("ended"));
  for (const Json& task : halves) {
    const std::string log = "/v1/jobs/halves/log?task=" + task.at("id").get<std::string>();
    EXPECT_EQ(Ask("GET", api_ + log).body,
              fmt::format("{} {}\n", share.begin().key(), task.at("index").get<int>()));
  }
  const auto huge = [&] { return Get("/v1/jobs/huge/why").at("refusals").at(0); };
  EXPECT_EQ(huge().at("blocker"), "GPUS");
  EXPECT_TRUE(support::Eventually([&] {
    return huge().at("reason").get<std::string>().starts_with(
        "needs 9 gpus of model H100: 200 agents offered, 10 have the model");
  })) << huge();
}

TEST_F(ManyAgentsTest, ReasonsNameWhoHoldsItAndWhenItStarts) {
  const auto job = [](const std::string& name, int count, const std::string& command) {
    return fmt::format(R"(
name: {}
kind: training
groups:
- {{name: g, count: {}, cpus: 1, mem: 16MiB, gpus: {{count: 8, model: H100}}, max_completion: 1h,
   run: {{command: '{}'}}}})",
                       name, count, command);
  };
  Submit(job("busy", 10, "sleep 3600"));
  ASSERT_TRUE(support::Eventually([&] { return Get("/v1/jobs/busy").at("running") == 10; }));
  Submit(job("next", 1, "true"));
  Json refusal;
  ASSERT_TRUE(support::Eventually([&] {
    const Json refusals = Get("/v1/jobs/next/why").at("refusals");
    if (!refusals.empty()) refusal = refusals[0];
    return refusal.value("nearest", "") != "";
  })) << Get("/v1/jobs/next/why");
  EXPECT_EQ(refusal.at("blocker"), "GPUS");
  EXPECT_THAT(refusal.at("nearest").get<std::string>(), testing::EndsWith(" lacks 8 gpus"));
  EXPECT_THAT(refusal.at("held_by").get<std::string>(),
              testing::StartsWith("job busy (8 gpus on "));
  EXPECT_TRUE(refusal.at("estimated_start").is_string()) << refusal;
  EXPECT_EQ(refusal.at("estimate"), "at the latest, by the max_completion of what runs");
  // Who asks what would become of another job is told of the next end, or of one as early.
  const Json plan = Ask("POST", api_ + "/v1/plan", job("other", 1, "true")).json;
  EXPECT_GE(plan.at("refusals").at(0).at("estimated_start"), refusal.at("estimated_start"));
  EXPECT_EQ(plan.at("refusals").at(0).at("estimate"), refusal.at("estimate"));
  EXPECT_EQ(Ask("POST", api_ + "/v1/jobs/busy/kill").status, 200);
  EXPECT_TRUE(Reaches("next", "SUCCEEDED")) << Get("/v1/jobs/next/why");
}

// Each rack has three agents with eight A100.
TEST_F(ManyAgentsTest, GangsAreInOneRackOrWait) {
  const auto gang = [](const std::string& name, int count) {
    return fmt::format(R"(
name: {}
kind: training
gang: {{require: rack}}
groups:
- {{name: g, count: {}, cpus: 4, mem: 64MiB, gpus: {{count: 4, model: A100}},
   run: {{command: 'true'}}}})",
                       name, count);
  };
  Submit(gang("near", 6));
  ASSERT_TRUE(Reaches("near", "SUCCEEDED")) << Get("/v1/jobs/near/why");
  const auto spread = Spread("near", "rack");
  ASSERT_THAT(spread, SizeIs(1));
  EXPECT_EQ(spread.begin()->second, 6);
  Submit(gang("wide", 7));
  ASSERT_TRUE(support::Eventually([&] {
    const Json refusals = Get("/v1/jobs/wide/why").at("refusals");
    return !refusals.empty() &&
           refusals[0].at("reason").get<std::string>().starts_with(
               "needs 7 members in one rack: 10 racks, the most that fit is 6 in ");
  })) << Get("/v1/jobs/wide/why");
  EXPECT_EQ(Get("/v1/jobs/wide/why").at("refusals").at(0).at("blocker"), "TOPOLOGY");
  EXPECT_EQ(Get("/v1/agents").at("agents").at(0).at("domain"),
            Get("/v1/agents").at("agents").at(0).at("attributes").at("rack"));
  const Reply reply = Ask("POST", api_ + "/v1/jobs", R"(
name: bad
kind: training
gang: {require: rak}
groups: [{name: g, count: 2, run: {command: 'true'}}])");
  EXPECT_EQ(reply.status, 400);
  EXPECT_EQ(reply.json.at("error").at("message"),
            "level is \"rak\": expected one of region, zone, rack, switch, host");
}

}  // namespace
}  // namespace kiln::integration
