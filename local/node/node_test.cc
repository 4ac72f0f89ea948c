// The composed node on loopback: its endpoints, and the faults that can be put into it.
#include "local/node/node.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "proto/mesos/v1/scheduler.pb.h"
#include "wire/net/client.h"
#include "wire/net/loop.h"

namespace kiln::local {
namespace {

using Json = nlohmann::json;

constexpr char kSubscribe[] =
    R"({"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"root","name":"t","role":"a"}}})";

class NodeTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "kiln-node-XXXXXX";
    folder_ = mkdtemp(name.data());
    NodeOptions options;
    options.port = 0;
    options.work_dir = folder_;
    options.master_flags = {"--hostname=master.test"};
    options.agents.push_back({{"--resources=cpus:1;mem:64", "--hostname=agent1.test"}, true});
    auto node = Node::Start(loop_, std::move(options));
    ASSERT_TRUE(node) << node.error().message;
    node_ = std::move(*node);
  }
  void TearDown() override {
    node_.reset();
    std::filesystem::remove_all(folder_);
  }

  // The answer of the master; status 0 when the connection was closed instead.
  net::Response Ask(const std::string& path, const std::string& json = {}) {
    std::optional<Result<net::Response>> answer;
    net::Request request;
    request.target = path;
    if (!json.empty()) {
      request.method = "POST";
      request.headers.Set("Content-Type", "application/json");
      request.body = json;
    }
    const auto url = net::ParseUrl(fmt::format("127.0.0.1:{}", node_->master_port()));
    auto connection = net::Connection::Open(loop_, *url, {[] {}, [](Error) {}});
    connection->Send(request, [&](Result<net::Response> response) {
      answer = std::move(response);
      loop_.Stop();
    });
    while (!answer) loop_.RunFor(std::chrono::seconds(10));
    return *answer ? **answer : net::Response{0, {}, {}};
  }
  Json Operator(const std::string& type) {
    return Json::parse(Ask("/api/v1", Json{{"type", type}}.dump()).body, nullptr, false);
  }
  int Inject(const std::string& fault, const std::string& target = {}) {
    return Ask("/kiln/fault", Json{{"fault", fault}, {"target", target}}.dump()).status;
  }
  // Lets the loop run until it holds.
  template <typename Condition>
  bool Eventually(Condition condition) {
    for (int i = 0; i < 200; ++i) {
      if (condition()) return true;
      loop_.RunFor(std::chrono::milliseconds(10));
    }
    return false;
  }
  size_t Agents() { return Operator("GET_AGENTS")["get_agents"]["agents"].size(); }

  std::string folder_;
  net::Loop loop_;
  std::unique_ptr<Node> node_;
};

TEST_F(NodeTest, AnswersUnderBothNames) {
  EXPECT_EQ(Ask("/health").status, 200);
  EXPECT_EQ(Ask("/master/health").status, 200);
  EXPECT_EQ(Ask("/nothing").status, 404);
  EXPECT_EQ(Ask("/redirect").headers.Get("Location"),
            fmt::format("//master.test:{}", node_->master_port()));
}

// Whoever speaks protobuf may send any bytes.
TEST_F(NodeTest, ItsJsonIsUtf8) {
  mesos::v1::scheduler::Call call;
  call.set_type(mesos::v1::scheduler::Call::SUBSCRIBE);
  auto& info = *call.mutable_subscribe()->mutable_framework_info();
  info.set_user("root");
  info.set_name("caf\xe9");
  info.add_roles("a");
  info.add_capabilities()->set_type(mesos::v1::FrameworkInfo::Capability::MULTI_ROLE);
  info.mutable_labels()->add_labels()->set_key("\xe9");
  net::Request request{"POST", "/api/v1/scheduler", {}, call.SerializeAsString(), {}};
  request.headers.Set("Content-Type", "application/x-protobuf");
  const auto url = net::ParseUrl(fmt::format("127.0.0.1:{}", node_->master_port()));
  auto connection = net::Connection::Open(loop_, *url, {[] {}, [](Error) {}});
  connection->OpenStream(request, {[](const net::Response&) {}, [](std::string_view) {}, [] {}});
  ASSERT_TRUE(
      Eventually([&] { return !Json::parse(Ask("/frameworks").body)["frameworks"].empty(); }));
  for (const char* path : {"/state", "/state-summary", "/frameworks", "/tasks", "/roles"}) {
    const net::Response answer = Ask(path);
    EXPECT_EQ(answer.status, 200) << path;
    EXPECT_TRUE(Json::accept(answer.body)) << path;
  }
}

TEST_F(NodeTest, AgentsRegisterAndGo) {
  ASSERT_TRUE(Eventually([&] { return Agents() == 1; }));
  EXPECT_EQ(Inject("kill_agent", "agent1"), 200);
  EXPECT_TRUE(Eventually([&] {
    const Json agents = Operator("GET_AGENTS")["get_agents"]["agents"];
    return agents.size() == 1 && agents[0]["active"] == false;
  }));
  EXPECT_EQ(Inject("kill_agent", "agent1"), 400);
  EXPECT_EQ(Inject("start_agent", "agent1"), 200);
  EXPECT_TRUE(Eventually([&] {
    const Json agents = Operator("GET_AGENTS")["get_agents"]["agents"];
    return agents.size() == 1 && agents[0]["active"] == true;
  }));
  EXPECT_EQ(Inject("shut_agent_down", "agent1"), 200);
  EXPECT_TRUE(Eventually([&] { return Agents() == 0; }));
}

TEST_F(NodeTest, AMasterThatIsDownClosesConnections) {
  EXPECT_EQ(Inject("kill_master"), 200);
  EXPECT_EQ(Ask("/health").status, 0);
  EXPECT_EQ(Inject("start_master"), 200);
  EXPECT_EQ(Ask("/api/v1/scheduler", kSubscribe).status, 404);
  EXPECT_TRUE(Eventually([&] { return Ask("/api/v1/scheduler", kSubscribe).status == 503; }));
  EXPECT_TRUE(Eventually([&] { return Ask("/api/v1", R"({"type":"GET_HEALTH"})").status == 200; }));
}

TEST_F(NodeTest, AMasterThatDoesNotLeadSaysSo) {
  EXPECT_EQ(Inject("no_leader"), 200);
  EXPECT_EQ(Ask("/api/v1/scheduler", kSubscribe).body, "No leader elected");
  EXPECT_EQ(Inject("no_leader", "other:5050"), 200);
  const net::Response moved = Ask("/api/v1/scheduler", kSubscribe);
  EXPECT_EQ(moved.status, 307);
  EXPECT_EQ(moved.headers.Get("Location"), "//other:5050/api/v1/scheduler");
  EXPECT_EQ(Inject("leader"), 200);
  EXPECT_EQ(Ask("/api/v1", R"({"type":"GET_HEALTH"})").status, 200);
}

TEST_F(NodeTest, MachinesGoDownAndComeUp) {
  ASSERT_TRUE(Eventually([&] { return Agents() == 1; }));
  const std::string schedule =
      R"({"windows":[{"machine_ids":[{"hostname":"agent1.test","ip":"127.0.0.1"}],)"
      R"("unavailability":{"start":{"nanoseconds":7}}}]})";
  const std::string machines = R"([{"hostname":"agent1.test","ip":"127.0.0.1"}])";
  EXPECT_EQ(Ask("/maintenance/schedule", "[]").status, 400);
  EXPECT_EQ(Ask("/maintenance/schedule", schedule).status, 200);
  EXPECT_EQ(Ask("/master/maintenance/schedule").body, schedule);
  EXPECT_EQ(Ask("/machine/up", machines).status, 400);
  EXPECT_EQ(Ask("/machine/down", machines).status, 200);
  EXPECT_TRUE(Eventually([&] { return Agents() == 0; }));
  EXPECT_EQ(Ask("/maintenance/status").body, R"({"down_machines":)" + machines + "}");
  EXPECT_EQ(Ask("/machine/up", machines).status, 200);
  EXPECT_EQ(Ask("/maintenance/status").body, "{}");
  EXPECT_EQ(Ask("/maintenance/status", machines).body,
            "405 Method Not Allowed. Expecting one of { 'GET' }, but received 'POST'.");
}

TEST_F(NodeTest, TheNextSubscriptionCanBeRefused) {
  EXPECT_EQ(Inject("refuse_subscribe", "Framework has been removed"), 200);
  const net::Response refused = Ask("/api/v1/scheduler", kSubscribe);
  EXPECT_EQ(refused.status, 200);
  EXPECT_NE(refused.body.find(R"("message":"Framework has been removed")"), std::string::npos);
}

TEST_F(NodeTest, RequestsCanBeDelayed) {
  EXPECT_EQ(Inject("delay", "100ms"), 200);
  const Instant before = loop_.Now();
  EXPECT_EQ(Ask("/health").status, 200);
  EXPECT_GE(loop_.Now() - before, std::chrono::milliseconds(100));
  EXPECT_EQ(Inject("delay", "0ns"), 200);
}

TEST_F(NodeTest, UnknownFaultsAreRefused) {
  EXPECT_EQ(Inject("earthquake"), 400);
  EXPECT_EQ(Inject("kill_agent", "agent7"), 400);
  EXPECT_EQ(Inject("rescind_offer", "O9"), 400);
  EXPECT_EQ(Inject("resend_updates", "F"), 400);
  EXPECT_EQ(Inject("delay", "long"), 400);
  EXPECT_EQ(Ask("/kiln/fault", "[]").status, 400);
}

TEST_F(NodeTest, ItEndsInOrder) {
  ASSERT_TRUE(Eventually([&] { return Agents() == 1; }));
  bool done = false;
  node_->ShutDown([&] { done = true; });
  EXPECT_TRUE(Eventually([&] { return done; }));
}

}  // namespace
}  // namespace kiln::local
