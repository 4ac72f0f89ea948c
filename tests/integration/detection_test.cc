// A scheduler that is told where Mesos masters say who leads, with a real ZooKeeper server.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/integration/cluster.h"
#include "tests/support/zookeeper_server.h"
#include "wire/zookeeper/session.h"

namespace kiln::integration {
namespace {

using wire::Json;

class DetectionTest : public testing::Test {
 protected:
  void SetUp() override {
    auto session = wire::ZookeeperSession::Open({server_.address(), "/mesos", ""});
    ASSERT_TRUE(session) << session.error().message;
    session_ = *std::move(session);
    ASSERT_TRUE(session_->MakePath());
    ASSERT_TRUE(session_->Create("log_replicas", ""));
    Cluster::Options options;
    options.agents = 1;
    options.master = "zk://" + server_.address() + "/mesos";
    cluster_ = std::make_unique<Cluster>(options);
  }
  void TearDown() override {
    if (HasFailure()) std::fputs(cluster_->Logs().c_str(), stderr);
  }

  // The node of a master that stands for election, as Mesos 1.12 writes it.
  std::string Announce(const Cluster& cluster) {
    const std::string url = cluster.master();
    const std::string port = url.substr(url.rfind(':') + 1);
    const auto node = session_->Create(
        "json.info_",
        R"({"address":{"hostname":"master.invalid","ip":"127.0.0.1","port":)" + port +
            R"(},"capabilities":[{"type":"AGENT_UPDATE"},{"type":"AGENT_DRAINING"},)"
            R"({"type":"QUOTA_V2"}],"hostname":"master.invalid","id":"m-)" +
            port + R"(","ip":16777343,"pid":"master@127.0.0.1:)" + port + R"(","port":)" + port +
            R"(,"version":"1.12.0"})",
        wire::ZookeeperSession::Kind::kNumbered);
    EXPECT_TRUE(node) << node.error().message;
    return node.value_or("");
  }
  Json Health() { return cluster_->Api("GET", "/v1/health").json; }
  // Subscribed with that cluster's master; the framework's id.
  std::string FrameworkAt(const Cluster& cluster) {
    const std::string url = cluster.master();
    const std::string port = url.substr(url.rfind(':'));
    Json health;
    EXPECT_TRUE(support::Eventually([&] {
      health = Health();
      return health["connected"] == true && health["master"].get<std::string>().ends_with(port);
    })) << health;
    return health["framework_id"];
  }
  void ExpectNobodyLeads() {
    const std::string problem =
        "no master leads at zk://" + server_.address() + "/mesos: waits for one";
    Json health;
    EXPECT_TRUE(support::Eventually([&] {
      health = Health();
      return health["connected"] == false && health["problem"] == problem;
    })) << health;
    EXPECT_THAT(cluster_->Logs(), testing::HasSubstr(problem));
  }
  void ExpectItRuns(const std::string& job) {
    const Json text = {
        {"name", job},
        {"kind", "training"},
        {"groups", {{{"name", "g"}, {"cpus", 0.1}, {"run", {{"command", "true"}}}}}}};
    ASSERT_EQ(cluster_->Api("POST", "/v1/jobs", wire::DumpJson(text)).status, 201);
    EXPECT_TRUE(cluster_->Reaches(job, "SUCCEEDED"));
  }

  support::ZookeeperServer server_;
  std::unique_ptr<wire::ZookeeperSession> session_;
  std::unique_ptr<Cluster> cluster_;
};

TEST_F(DetectionTest, TheSchedulerFollowsTheMasterThatLeads) {
  ExpectNobodyLeads();
  const std::string first = Announce(*cluster_);
  const std::string framework = FrameworkAt(*cluster_);
  EXPECT_FALSE(framework.empty());
  ExpectItRuns("one");

  // The next in line leads when the first has gone, and knows the framework by its old id.
  Cluster other({.agents = 1});
  Announce(other);
  ASSERT_TRUE(session_->Remove(first));
  EXPECT_EQ(FrameworkAt(other), framework);
  ExpectItRuns("two");

  // The next life of the scheduler finds the master that leads then.
  cluster_->KillScheduler();
  cluster_->StartScheduler();
  EXPECT_EQ(FrameworkAt(other), framework);
  EXPECT_EQ(cluster_->Job("one")["phase"], "SUCCEEDED");
  ExpectItRuns("three");

  // With their sessions all masters are gone.
  session_.reset();
  ExpectNobodyLeads();
  session_ = *wire::ZookeeperSession::Open({server_.address(), "/mesos", ""});
  Announce(*cluster_);
  EXPECT_EQ(FrameworkAt(*cluster_), framework);
}

}  // namespace
}  // namespace kiln::integration
