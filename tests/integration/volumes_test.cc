// A member that comes back to its data, on a real cluster of processes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/integration/cluster.h"

namespace kiln::integration {
namespace {

using testing::HasSubstr;
using testing::SizeIs;
using wire::Json;

// Counts its runs in its volume: the first fails, the second waits to be killed, the third is done.
constexpr const char* kJob =
    "name: counter\nkind: training\nretries: 1\ngroups:\n- name: g\n  cpus: 0.1\n  mem: 32MiB\n"
    "  volumes: [{path: data, size: 64MiB}]\n"
    "  run: {command: 'echo run >> data/runs; case $(wc -l < data/runs) in 1) exit 1;; "
    "2) sleep 3600;; 3) exit 0;; *) exit 2;; esac'}\n";

class VolumesTest : public testing::Test {
 protected:
  VolumesTest() : cluster_({.agents = 2, .scheduler_flags = {"--role=research"}}) {}
  void TearDown() override {
    if (HasFailure()) std::fputs(cluster_.Logs().c_str(), stderr);
  }
  // What agents keep for roles, by hostname; empty when they are whole.
  std::map<std::string, Json> Reserved() {
    std::map<std::string, Json> reserved;
    const Json agents = Ask("GET", cluster_.master() + "/slaves").json;
    for (const Json& agent : agents.at("slaves")) {
      if (agent.at("reserved_resources").empty()) continue;
      reserved[agent.at("hostname")] = agent.at("reserved_resources");
    }
    return reserved;
  }
  bool Runs(int attempt) {
    return support::Eventually([&] {
      for (const Json& task : cluster_.Tasks("counter")) {
        if (task.at("attempt") == attempt && task.at("state") == "TASK_RUNNING") return true;
      }
      return false;
    });
  }

  Cluster cluster_;
};

TEST_F(VolumesTest, AttemptsFindTheirDataAndTheAgentGetsItsDiskBack) {
  const Reply reply = cluster_.Api("POST", "/v1/jobs", kJob);
  ASSERT_EQ(reply.status, 201) << reply.body;
  ASSERT_TRUE(Runs(1)) << cluster_.Job("counter");
  const auto reserved = Reserved();
  ASSERT_THAT(reserved, SizeIs(1));
  EXPECT_EQ(reserved.begin()->second.at("research").at("disk"), 64);
  const Json volumes = cluster_.Job("counter").at("volumes");
  ASSERT_THAT(volumes, SizeIs(1));
  EXPECT_EQ(volumes[0].at("phase"), "HELD");
  EXPECT_EQ(volumes[0].at("hostname"), reserved.begin()->first);
  EXPECT_THAT(cluster_.Kiln({"job", "show", "counter"}).output,
              HasSubstr("\ndata    g          0  64MiB  agent"));

  cluster_.KillScheduler();
  cluster_.StartScheduler();
  ASSERT_TRUE(Runs(1));
  for (const Json& task : cluster_.Tasks("counter")) {
    if (task.at("state") != "TASK_RUNNING") continue;
    const std::string id = task.at("id");
    EXPECT_EQ(cluster_.Api("POST", "/v1/tasks/" + id + "/kill").status, 200);
  }
  EXPECT_TRUE(cluster_.Reaches("counter", "SUCCEEDED")) << cluster_.Job("counter");
  EXPECT_THAT(cluster_.Tasks("counter"), SizeIs(3));
  EXPECT_TRUE(support::Eventually([&] { return Reserved().empty(); })) << cluster_.Job("counter");
  EXPECT_TRUE(support::Eventually([&] { return cluster_.Job("counter").at("volumes").empty(); }))
      << cluster_.Job("counter");
  // All that the agents have told of their operations is acknowledged.
  EXPECT_TRUE(support::Eventually([&] {
    const Json answer =
        Ask("POST", cluster_.master() + "/api/v1", R"({"type":"GET_OPERATIONS"})").json;
    return answer.at("get_operations").value("operations", Json::array()).empty();
  }));
}

TEST_F(VolumesTest, AnUninstallGivesThemBack) {
  ASSERT_EQ(cluster_.Api("POST", "/v1/jobs", kJob).status, 201);
  ASSERT_TRUE(Runs(1)) << cluster_.Job("counter");
  ASSERT_THAT(Reserved(), SizeIs(1));
  cluster_.KillScheduler();
  cluster_.StartScheduler({"--uninstall"});
  EXPECT_TRUE(
      support::Eventually([&] { return cluster_.Api("GET", "/v1/plans/deploy").status == 200; }))
      << cluster_.Api("GET", "/v1/plans/deploy").body;
  EXPECT_TRUE(Reserved().empty());
  const Json state = Ask("GET", cluster_.master() + "/state").json;
  EXPECT_THAT(state.at("frameworks"), SizeIs(0));
  EXPECT_THAT(state.at("completed_frameworks"), SizeIs(1));
}

}  // namespace
}  // namespace kiln::integration
