#include "local/node/master_flags.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "local/node/node.h"
#include "local/node/registry_file.h"

namespace kiln::local {
namespace {

class MasterFlagsTest : public testing::Test {
 protected:
  MasterFlagsTest() {
    std::string name = testing::TempDir() + "kiln-flags-XXXXXX";
    folder_ = mkdtemp(name.data());
  }
  ~MasterFlagsTest() override { std::filesystem::remove_all(folder_); }
  std::string Write(const std::string& name, const std::string& content) {
    const std::string path = folder_ + "/" + name;
    std::ofstream(path) << content;
    return path;
  }

  std::string folder_;
};

TEST_F(MasterFlagsTest, ReadWhatMeansSomething) {
  const auto flags = ParseMasterFlags(
      {"--hostname=m.test", "--no-root_submissions", "--agent_ping_timeout=1secs",
       "--max_agent_ping_timeouts=2", "--registry=replicated_log", "--authenticate_http_readonly",
       "--min_allocatable_resources=cpus:1;mem:64|disk:10", "--quorum=1"});
  ASSERT_TRUE(flags) << flags.error().message;
  EXPECT_EQ(flags->options.hostname, "m.test");
  EXPECT_FALSE(flags->options.root_submissions);
  EXPECT_EQ(flags->options.agent_ping_timeout, std::chrono::seconds(1));
  EXPECT_EQ(flags->options.max_agent_ping_timeouts, 2);
  EXPECT_TRUE(flags->durable_registry);
  EXPECT_TRUE(flags->authenticate_readonly);
  EXPECT_EQ(flags->options.allocator.min_allocatable,
            (MinAllocatable{{{"cpus", 1}, {"mem", 64}}, {{"disk", 10}}}));
  EXPECT_EQ(flags->shown.at("quorum"), "1");
  EXPECT_EQ(flags->shown.at("root_submissions"), "false");
}

TEST_F(MasterFlagsTest, NameWhatIsWrong) {
  EXPECT_EQ(ParseMasterFlags({"hostname=x"}).error().message,
            "'hostname=x' is no flag: it has no leading --");
  EXPECT_FALSE(ParseMasterFlags({"--allocation_interval=soon"}));
  EXPECT_EQ(ParseMasterFlags({"--credentials=" + Write("plain", "kiln secret")}).error().message,
            "--credentials is no JSON object");
  EXPECT_EQ(ParseMasterFlags({"--acls=" + folder_ + "/none"}).error().code, ErrorCode::kNotFound);
}

TEST_F(MasterFlagsTest, CredentialsAndAclsComeFromFiles) {
  const auto flags = ParseMasterFlags(
      {"--credentials=" +
           Write("credentials", R"({"credentials":[{"principal":"kiln","secret":"s"}]})"),
       "--acls=file://" + Write("acls", R"({"permissive":false,"run_tasks":[
           {"principals":{"values":["kiln"]},"users":{"type":"ANY"}}]})")});
  ASSERT_TRUE(flags) << flags.error().message;
  EXPECT_EQ(flags->credentials, (std::map<std::string, std::string>{{"kiln", "s"}}));
  const Acls& acls = flags->options.acls;
  EXPECT_TRUE(Allows(acls.run_tasks, acls.permissive, "kiln", "root"));
  EXPECT_FALSE(Allows(acls.run_tasks, acls.permissive, "other", "root"));
}

TEST_F(MasterFlagsTest, ARegistrySurvivesItsFile) {
  const std::string path = folder_ + "/master/registry.json";
  ASSERT_TRUE(ReadRegistry(path)->agents.empty());
  Registry registry;
  mesos::v1::AgentInfo agent;
  agent.set_hostname("a.test");
  agent.set_port(5051);
  agent.mutable_id()->set_value("S0");
  registry.agents.push_back(agent);
  registry.unreachable["S1"] = Instant{17};
  registry.gone["S2"] = Instant{18};
  registry.deactivated = {"S0"};
  mesos::v1::DrainInfo& drain = registry.draining["S0"];
  drain.set_state(mesos::v1::DRAINED);
  drain.mutable_config()->set_mark_gone(true);
  drain.mutable_config()->mutable_max_grace_period()->set_nanoseconds(7);
  auto* window = registry.maintenance.schedule.add_windows();
  window->mutable_unavailability()->mutable_start()->set_nanoseconds(9);
  window->add_machine_ids()->set_hostname("a.test");
  registry.maintenance.down.emplace_back().set_ip("10.0.0.1");
  ASSERT_TRUE(WriteRegistry(path, registry));
  const auto read = ReadRegistry(path);
  ASSERT_TRUE(read) << read.error().message;
  ASSERT_EQ(read->agents.size(), 1u);
  EXPECT_EQ(read->agents[0].SerializeAsString(), agent.SerializeAsString());
  EXPECT_EQ(read->unreachable, registry.unreachable);
  EXPECT_EQ(read->gone, registry.gone);
  EXPECT_EQ(read->deactivated, registry.deactivated);
  ASSERT_EQ(read->draining.size(), 1u);
  EXPECT_EQ(read->draining.at("S0").SerializeAsString(), drain.SerializeAsString());
  EXPECT_EQ(read->maintenance.schedule.SerializeAsString(),
            registry.maintenance.schedule.SerializeAsString());
  ASSERT_EQ(read->maintenance.down.size(), 1u);
  EXPECT_EQ(read->maintenance.down[0].ip(), "10.0.0.1");
  std::ofstream(path) << "no registry";
  EXPECT_EQ(ReadRegistry(path).error().code, ErrorCode::kDataLoss);
}

TEST_F(MasterFlagsTest, TheCommandLineGivesAgentsTheirFlags) {
  const auto options =
      ParseNodeOptions({"--work_dir=/w", "--port=0", "--agents=2", "--agent-resources=cpus:2",
                        "--agent-flag=2:--hostname=b", "--hostname=m"});
  ASSERT_TRUE(options) << options.error().message;
  EXPECT_EQ(options->port, 0);
  EXPECT_EQ(options->master_flags, std::vector<std::string>{"--hostname=m"});
  ASSERT_EQ(options->agents.size(), 2u);
  EXPECT_EQ(options->agents[0].flags, std::vector<std::string>{"--resources=cpus:2"});
  EXPECT_EQ(options->agents[1].flags,
            (std::vector<std::string>{"--hostname=b", "--resources=cpus:2"}));
  EXPECT_EQ(ParseNodeOptions({"--work_dir=/w"})->agents.size(), 1u);
  EXPECT_EQ(ParseNodeOptions({"--work_dir=/w", R"(--agent={"flags":[],"start":false})"})
                ->agents.at(0)
                .start,
            false);
  EXPECT_FALSE(ParseNodeOptions({}));
  EXPECT_FALSE(ParseNodeOptions({"--work_dir=/w", "--port=70000"}));
}

}  // namespace
}  // namespace kiln::local
