// Jobs that make others end, on a real cluster of processes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/integration/cluster.h"

namespace kiln::integration {
namespace {

using testing::HasSubstr;
using wire::Json;

std::string Job(const std::string& name, int priority, int members, const std::string& command) {
  return fmt::format(
      "name: {}\nkind: training\npriority: {}\nretries: 0\ngroups:\n- name: g\n  count: {}\n"
      "  cpus: 2\n  mem: 32MiB\n  kill_grace: 20s\n  run:\n    command: '{}'\n",
      name, priority, members, command);
}

// Two agents with room for one member each, and no peace for who has just begun.
class PreemptionTest : public testing::Test {
 protected:
  PreemptionTest()
      : cluster_({.agents = 2,
                  .resources = "cpus:2;mem:1024;disk:1024;ports:[31000-31100]",
                  .scheduler_flags = {"--min-run", "0s"}}) {}
  void TearDown() override {
    if (HasFailure()) std::fputs(cluster_.Logs().c_str(), stderr);
  }
  void Submit(const std::string& job) {
    const Reply reply = cluster_.Api("POST", "/v1/jobs", job);
    ASSERT_EQ(reply.status, 201) << reply.body;
  }
  // The work goes on until then.
  std::string UntilGo(const std::string& before) {
    return fmt::format("{}; while [ ! -e {}/go ]; do sleep 0.1; done", before,
                       cluster_.folder().string());
  }
  void Go() { std::ofstream(cluster_.folder() / "go") << "go"; }
  bool AllRun(const std::string& job, size_t members) {
    return support::Eventually([&] {
      const auto tasks = cluster_.Tasks(job);
      return tasks.size() == members &&
             std::all_of(tasks.begin(), tasks.end(), [](const Json& one) {
               return one.at("state") == "TASK_RUNNING" && !one.at("checkpointed").is_null();
             });
    });
  }
  std::vector<Json> Evicted(const std::string& job) {
    std::vector<Json> evicted;
    for (const Json& task : cluster_.Tasks(job)) {
      if (!task.at("preempted_by").get<std::string>().empty()) evicted.push_back(task);
    }
    return evicted;
  }

  Cluster cluster_;
};

TEST_F(PreemptionTest, AHighJobEvictsALowOneThatFinishesLater) {
  Submit(Job("low", 10, 2, UntilGo("touch $KILN_CHECKPOINT")));
  ASSERT_TRUE(AllRun("low", 2)) << cluster_.Job("low");
  Submit(Job("equal", 10, 1, "true"));
  Submit(Job("high", 90, 1, "true"));
  ASSERT_TRUE(cluster_.Reaches("high", "SUCCEEDED")) << cluster_.Job("high");
  const std::vector<Json> evicted = Evicted("low");
  ASSERT_EQ(evicted.size(), 1U);
  EXPECT_EQ(evicted[0].at("preempted_by"), "job high of priority 90");
  EXPECT_THAT(evicted[0].at("message").get<std::string>(),
              HasSubstr("preempted by job high of priority 90"));
  EXPECT_EQ(evicted[0].at("charge"), "none");
  EXPECT_THAT(cluster_.Kiln({"job", "show", "low"}).output,
              HasSubstr("preempted by job high of priority 90"));
  EXPECT_THAT(cluster_.Api("GET", "/v1/metrics/prometheus").body,
              HasSubstr("kiln_evictions_total 1"));
  Go();
  EXPECT_TRUE(cluster_.Reaches("low", "SUCCEEDED")) << cluster_.Job("low");
  EXPECT_TRUE(cluster_.Reaches("equal", "SUCCEEDED")) << cluster_.Job("equal");
  EXPECT_EQ(Evicted("low").size(), 1U);
}

// The victim takes its time, and the scheduler dies meanwhile.
TEST_F(PreemptionTest, NothingIsEvictedTwiceThoughTheSchedulerDies) {
  const std::string slow = "trap \"sleep 3; exit 1\" TERM; touch $KILN_CHECKPOINT";
  Submit(Job("low", 10, 2, UntilGo(slow)));
  ASSERT_TRUE(AllRun("low", 2)) << cluster_.Job("low");
  Submit(Job("high", 90, 1, "true"));
  ASSERT_TRUE(support::Eventually([&] { return Evicted("low").size() == 1; }));
  cluster_.KillScheduler();
  cluster_.StartScheduler();
  ASSERT_TRUE(cluster_.Reaches("high", "SUCCEEDED")) << cluster_.Job("high");
  EXPECT_EQ(Evicted("low").size(), 1U);
  Go();
  EXPECT_TRUE(cluster_.Reaches("low", "SUCCEEDED")) << cluster_.Job("low");
}

}  // namespace
}  // namespace kiln::integration
