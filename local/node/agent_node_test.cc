#include "local/node/agent_node.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace kiln::local {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::seconds;

// An agent whose master is the test.
class AgentNodeTest : public testing::Test {
 protected:
  AgentNodeTest() {
    std::string name = (fs::temp_directory_path() / "kiln-agent-XXXXXX").string();
    folder_ = fs::canonical(mkdtemp(name.data())).string();
  }
  ~AgentNodeTest() override {
    if (agent_) {
      agent_->ShutDown();
      Until([this] { return exited_; });
    }
    agent_.reset();
    fs::remove_all(folder_);
  }

  void StartAgent() {
    exited_ = false;
    AgentNodeOptions options;
    options.work_dir = folder_;
    options.port = port_;
    const auto flags = ParseAgentFlags({"--hostname=agent1", "--resources=cpus:4;mem:1024",
                                        "--registration_backoff_factor=10ms",
                                        "--executor_shutdown_grace_period=100ms"});
    ASSERT_TRUE(flags) << flags.error().message;
    options.flags = *flags;
    auto started = AgentNode::Start(
        loop_, options,
        {.to_master = [this](AgentToMaster message) { messages_.push_back(std::move(message)); },
         .exited = [this] { exited_ = true; }});
    ASSERT_TRUE(started) << started.error().message;
    agent_ = *std::move(started);
    port_ = agent_->port();
  }
  template <typename Condition>
  bool Until(Condition condition) {
    for (int i = 0; i < 2000 && !condition(); ++i) loop_.RunFor(milliseconds(10));
    return condition();
  }
  // The next message of this kind; those before it are forgotten.
  template <typename Message>
  std::optional<Message> Next() {
    std::optional<Message> found;
    Until([&] {
      while (!messages_.empty() && !found) {
        if (auto* message = std::get_if<Message>(&messages_.front())) found = std::move(*message);
        messages_.erase(messages_.begin());
      }
      return found.has_value();
    });
    return found;
  }
  void Register() {
    ASSERT_TRUE(Next<RegisterAgent>());
    AgentRegistered registered;
    registered.agent_id.set_value("a");
    registered.total_ping_timeout = seconds(75);
    agent_->FromMaster(registered);
  }
  // A task on an executor that never subscribes; its process id.
  pid_t Run(bool checkpoint) {
    RunTask message;
    message.framework.set_user("root");
    message.framework.set_name("test");
    message.framework.set_checkpoint(checkpoint);
    message.framework.mutable_id()->set_value("f");
    message.task.set_name("t");
    message.task.mutable_task_id()->set_value("t");
    message.task.mutable_agent_id()->set_value("a");
    auto* executor = message.task.mutable_executor();
    executor->mutable_executor_id()->set_value("e");
    executor->mutable_framework_id()->set_value("f");
    executor->mutable_command()->set_value("echo $$ > pid.new; mv pid.new pid; sleep 1000");
    agent_->FromMaster(message);
    const std::string file = folder_ + "/slaves/a/frameworks/f/executors/e/runs/latest/pid";
    EXPECT_TRUE(Until([&] { return fs::exists(file); }));
    pid_t pid = 0;
    std::ifstream(file) >> pid;
    return pid;
  }

  net::Loop loop_;
  std::string folder_;
  int port_ = 0;
  std::vector<AgentToMaster> messages_;
  std::unique_ptr<AgentNode> agent_;
  bool exited_ = false;
};

TEST_F(AgentNodeTest, ACheckpointedExecutorOutlivesItsAgentAndIsFoundAgain) {
  StartAgent();
  Register();
  const pid_t pid = Run(true);
  agent_.reset();
  EXPECT_TRUE(StartMark(pid));
  StartAgent();
  const auto message = Next<ReregisterAgent>();
  ASSERT_TRUE(message);
  EXPECT_EQ(message->agent.id().value(), "a");
  ASSERT_EQ(message->tasks.size(), 1u);
  // It did not subscribe in time, so it is ended, and the next life has none of it.
  AgentReregistered answer;
  answer.total_ping_timeout = seconds(75);
  agent_->FromMaster(answer);
  const auto update = Next<StatusUpdate>();
  ASSERT_TRUE(update);
  EXPECT_EQ(update->status.reason(), mesos::v1::TaskStatus::REASON_EXECUTOR_REREGISTRATION_TIMEOUT);
  EXPECT_FALSE(StartMark(pid));
}

TEST_F(AgentNodeTest, AnExecutorWithoutCheckpointEndsWithTheNextLife) {
  StartAgent();
  Register();
  const pid_t pid = Run(false);
  agent_.reset();
  StartAgent();
  EXPECT_TRUE(Until([&] { return !StartMark(pid); }));
  const auto message = Next<ReregisterAgent>();
  ASSERT_TRUE(message);
  EXPECT_TRUE(message->tasks.empty());
}

TEST_F(AgentNodeTest, AFrozenAgentAnswersWhenItIsThawed) {
  StartAgent();
  Register();
  agent_->Freeze();
  agent_->FromMaster(Ping{});
  loop_.RunFor(milliseconds(100));
  EXPECT_TRUE(messages_.empty());
  agent_->Thaw();
  EXPECT_TRUE(Next<Pong>());
}

TEST_F(AgentNodeTest, LeavesInOrderAndForgets) {
  StartAgent();
  Register();
  const pid_t pid = Run(true);
  agent_->ShutDown();
  EXPECT_TRUE(Next<UnregisterAgent>());
  EXPECT_TRUE(Until([this] { return exited_; }));
  EXPECT_FALSE(StartMark(pid));
  agent_.reset();
  StartAgent();
  EXPECT_TRUE(Next<RegisterAgent>());
}

TEST_F(AgentNodeTest, AKilledExecutorIsToldWithItsStatus) {
  StartAgent();
  Register();
  kill(Run(false), SIGKILL);
  const auto exited = Next<ExitedExecutor>();
  ASSERT_TRUE(exited);
  EXPECT_EQ(exited->status, SIGKILL);
  EXPECT_EQ(Next<StatusUpdate>()->status.state(), mesos::v1::TASK_FAILED);
}

}  // namespace
}  // namespace kiln::local
