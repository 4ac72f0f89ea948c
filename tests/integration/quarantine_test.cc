// An agent on which every command fails, on a real cluster of processes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/integration/cluster.h"

namespace kiln::integration {
namespace {

using testing::HasSubstr;
using wire::Json;

// A job whose members run beside each other for a second and fail on one agent only. Its name
// makes its work unlike that of others.
std::string Job(const std::string& name, int members, const std::string& bad_agent,
                const std::string& constraints = "") {
  return fmt::format(
      "name: {0}\nkind: training\nretries: 3\ngroups:\n- name: g\n  count: {1}\n  cpus: 0.1\n"
      "  mem: 32MiB\n{3}  run: {{command: 'echo {0}; sleep 1; [ \"$MESOS_SLAVE_ID\" != \"{2}\" "
      "]'}}\n",
      name, members, bad_agent,
      constraints.empty() ? "" : "  constraints: [" + constraints + "]\n");
}

class QuarantineTest : public testing::Test {
 protected:
  void TearDown() override {
    if (HasFailure()) std::fputs(cluster_.Logs().c_str(), stderr);
  }
  void Submit(const std::string& job) {
    const Reply reply = cluster_.Api("POST", "/v1/jobs", job);
    ASSERT_EQ(reply.status, 201) << reply.body;
  }
  Json Agent(const std::string& hostname) {
    const Reply reply = cluster_.Api("GET", "/v1/agents");
    for (const Json& agent : reply.json.at("agents")) {
      if (agent.at("hostname") == hostname) return agent;
    }
    return nullptr;
  }
  // The scheduler has seen agents when it has had work for them.
  void SeeAllAgents() {
    Submit(Job("all", 4, "", "[hostname, UNIQUE]"));
    ASSERT_TRUE(cluster_.Reaches("all", "SUCCEEDED")) << cluster_.Job("all");
  }
  bool Has(const std::string& standing) {
    return support::Eventually([&] { return Agent("agent2").at("standing") == standing; });
  }
  std::set<std::string> HostsOf(const std::string& job) {
    std::set<std::string> hosts;
    for (const Json& task : cluster_.Tasks(job)) hosts.insert(task.at("hostname"));
    return hosts;
  }

  Cluster cluster_;
};

TEST_F(QuarantineTest, AnAgentThatFailsUnlikeJobsGetsNoWorkUntilItIsReleased) {
  SeeAllAgents();
  const std::string bad = Agent("agent2").at("id");
  const std::string there = "[hostname, IS, agent2]";
  for (const char* name : {"one", "two", "three"}) Submit(Job(name, 1, bad, there));
  ASSERT_TRUE(Has("QUARANTINED")) << Agent("agent2");
  EXPECT_THAT(Agent("agent2").at("quarantine").at(0).at("reason").get<std::string>(),
              testing::ContainsRegex("agent agent2 is quarantined until .* after [0-9]+ failures "
                                     "of 3 jobs"));

  Submit(Job("spread", 3, bad, "[hostname, UNIQUE]"));
  ASSERT_TRUE(cluster_.Reaches("spread", "SUCCEEDED")) << cluster_.Job("spread");
  EXPECT_EQ(HostsOf("spread"), (std::set<std::string>{"agent1", "agent3", "agent4"}));

  Submit(Job("four", 1, "", there));
  support::RunOutcome why;
  EXPECT_TRUE(support::Eventually([&] {
    why = cluster_.Kiln({"job", "why", "four"});
    return why.output.find("QUARANTINE") != std::string::npos;
  })) << why.output;
  EXPECT_THAT(why.output, HasSubstr("agent agent2 is quarantined until"));
  EXPECT_TRUE(cluster_.Tasks("four").empty());

  cluster_.KillScheduler();
  cluster_.StartScheduler();
  EXPECT_EQ(Agent("agent2").at("standing"), "QUARANTINED") << "it outlives the scheduler";
  EXPECT_THAT(cluster_.Kiln({"agent", "list"}).output, HasSubstr("quarantined until"));

  for (const char* name : {"one", "two", "three"}) cluster_.Kiln({"job", "kill", name});
  EXPECT_EQ(cluster_.Kiln({"agent", "release", "agent2"}).code, 0);
  EXPECT_TRUE(cluster_.Reaches("four", "SUCCEEDED")) << cluster_.Job("four");
  EXPECT_EQ(Agent("agent2").at("standing"), "HEALTHY");
}

TEST_F(QuarantineTest, AnOperatorKeepsWorkFromAnAgent) {
  SeeAllAgents();
  EXPECT_EQ(cluster_.Kiln({"agent", "quarantine", "agent3", "--reason", "new disk"}).code, 0);
  Submit(Job("spread", 3, "", "[hostname, UNIQUE]"));
  ASSERT_TRUE(cluster_.Reaches("spread", "SUCCEEDED")) << cluster_.Job("spread");
  EXPECT_EQ(HostsOf("spread"), (std::set<std::string>{"agent1", "agent2", "agent4"}));
  const support::RunOutcome unknown = cluster_.Kiln({"agent", "quarantine", "agent9"});
  EXPECT_EQ(unknown.code, 66) << unknown.output;
}

}  // namespace
}  // namespace kiln::integration
