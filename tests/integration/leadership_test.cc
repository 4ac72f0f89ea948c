// Two schedulers with one state in a real ZooKeeper: one leads, the other stands by.
#include <gtest/gtest.h>
#include <signal.h>

#include <thread>

#include "tests/integration/cluster.h"
#include "tests/support/zookeeper_server.h"

namespace kiln::integration {
namespace {

using wire::Json;

int Submit(const std::string& api, const std::string& job) {
  const Json text = {{"name", job},
                     {"kind", "training"},
                     {"groups", {{{"name", "g"}, {"cpus", 0.1}, {"run", {{"command", "true"}}}}}}};
  return Ask("POST", api + "/v1/jobs", wire::DumpJson(text)).status;
}

bool Succeeds(const std::string& api, const std::string& job) {
  return support::Eventually(
      [&] { return Ask("GET", api + "/v1/jobs/" + job).json["phase"] == "SUCCEEDED"; });
}

TEST(LeadershipTest, WhoIsFrozenIsReplacedAndEndsWhenItThaws) {
  const support::TempFolder folder;
  const support::ZookeeperServer server;
  Cluster::Options options;
  options.agents = 1;
  options.state = "zk://" + server.address() + "/kiln";
  options.scheduler_flags = {"--artifacts=" + folder.File("artifacts")};
  Cluster cluster(options);
  ASSERT_TRUE(support::Eventually([&] {
    return cluster.Api("GET", "/v1/health").json["connected"] == true;
  })) << cluster.Logs();
  ASSERT_EQ(Submit(cluster.api(), "one"), 201);
  EXPECT_TRUE(Succeeds(cluster.api(), "one"));
  const Json framework = cluster.Api("GET", "/v1/health").json["framework_id"];

  // Who stands by says where the leader is, and what is asked of it goes there.
  const std::string file = folder.File("address"), log = folder.File("second.log");
  auto second = *support::Process::Start(
      {{Program("kiln-scheduler"), "--master=" + cluster.master().substr(7), "--listen=127.0.0.1:0",
        "--state=" + options.state, options.scheduler_flags[0],
        "--executor=" + Program("kiln-executor"), "--address-file=" + file},
       log,
       {}});
  ASSERT_TRUE(support::Eventually([&] { return !support::ReadFile(file).empty(); }));
  const std::string api = "http://" + support::ReadFile(file);
  ASSERT_TRUE(support::Eventually([&] {
    return Ask("GET", api + "/v1/health").json["leader"] == cluster.api();
  })) << support::ReadFile(log);
  EXPECT_EQ(Ask("GET", api + "/v1/jobs/one").json["phase"], "SUCCEEDED");

  kill(cluster.scheduler_pid(), SIGSTOP);
  EXPECT_TRUE(support::Eventually([&] {
    return Ask("GET", api + "/v1/health").json["framework_id"] == framework;
  })) << support::ReadFile(log);
  EXPECT_EQ(Submit(api, "two"), 201);
  EXPECT_TRUE(Succeeds(api, "two")) << support::ReadFile(log);

  kill(cluster.scheduler_pid(), SIGCONT);
  EXPECT_TRUE(support::Eventually([&] { return Ask("GET", cluster.api()).status == 0; }));
  EXPECT_NE(cluster.Logs().find("this scheduler leads no more: " + api + " does"),
            std::string::npos)
      << cluster.Logs();
  EXPECT_EQ(Ask("GET", api + "/v1/health").json["framework_id"], framework);
  EXPECT_EQ(Submit(api, "three"), 201);
  EXPECT_TRUE(Succeeds(api, "three")) << support::ReadFile(log);

  // Who stands by answers from what it reads along, and knows of a death before ZooKeeper does.
  cluster.StartScheduler();
  ASSERT_TRUE(support::Eventually([&] {
    return Ask("GET", cluster.api() + "/v1/jobs/three").json["phase"] == "SUCCEEDED" &&
           Ask("GET", cluster.api() + "/v1/health").json["leader"] == api;
  })) << cluster.Logs();
  EXPECT_EQ(Ask("GET", cluster.api() + "/v1/roles").status, 200);
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  second.Signal(SIGKILL);
  EXPECT_TRUE(support::Eventually([&] {
    return cluster.Api("GET", "/v1/health").json["framework_id"] == framework;
  })) << cluster.Logs();
  EXPECT_NE(cluster.Logs().find(api + " has died: takes it out"), std::string::npos)
      << cluster.Logs();
  EXPECT_EQ(Submit(cluster.api(), "four"), 201);
  EXPECT_TRUE(Succeeds(cluster.api(), "four")) << cluster.Logs();
}

}  // namespace
}  // namespace kiln::integration
