// A small agent and a small scheduler for the executor's tests: they speak its two wires for real.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "executor/daemon/daemon.h"
#include "proto/mesos/v1/executor.pb.h"
#include "wire/mesos/json.h"
#include "wire/mesos/recordio.h"
#include "wire/net/server.h"

namespace kiln::executor {

// POST /api/v1/executor of an agent with one executor. Acknowledges every update unless told not
// to.
class AgentForTest {
 public:
  using Event = mesos::v1::executor::Event;
  using Call = mesos::v1::executor::Call;

  explicit AgentForTest(net::Loop& loop) : loop_(loop) { Listen(0); }

  void Listen(int port) {
    net::ServerOptions options;
    options.port = port;
    options.answer_inside_streams = true;
    auto server = net::Server::Listen(
        loop_, options, [this](std::shared_ptr<net::Exchange> e) { Handle(std::move(e)); });
    ASSERT_TRUE(server.has_value()) << server.error().message;
    server_ = *std::move(server);
    port_ = server_->port();
  }
  // As kill -9, and a new life at the same port.
  void Die() {
    stream_.reset();
    server_.reset();
  }

  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

  void Launch(const mesos::v1::TaskInfo& task) {
    Event event = OfType(Event::LAUNCH);
    *event.mutable_launch()->mutable_task() = task;
    Send(event);
  }
  void LaunchGroup(const std::vector<mesos::v1::TaskInfo>& tasks) {
    Event event = OfType(Event::LAUNCH_GROUP);
    auto& group = *event.mutable_launch_group()->mutable_task_group();
    group.mutable_tasks()->Add(tasks.begin(), tasks.end());
    Send(event);
  }
  void Kill(const std::string& task) {
    Event event = OfType(Event::KILL);
    event.mutable_kill()->mutable_task_id()->set_value(task);
    Send(event);
  }
  void ShutDown() { Send(OfType(Event::SHUTDOWN)); }

  bool killing_state = true;  // the framework declares TASK_KILLING_STATE
  bool acknowledge = true;
  bool default_executor = false;  // what it takes the executor for
  int refuse_updates = 0;         // so many are answered with 503
  std::vector<Call::Subscribe> subscriptions;
  std::vector<mesos::v1::TaskStatus> statuses;  // each once, in their order

 private:
  void Handle(std::shared_ptr<net::Exchange> exchange) {
    Call call;
    ASSERT_TRUE(call.ParseFromString(exchange->request().body));
    EXPECT_EQ(call.framework_id().value(), "f1");
    EXPECT_EQ(call.executor_id().value(), "e1");
    if (call.type() == Call::SUBSCRIBE) return Subscribe(call.subscribe(), std::move(exchange));
    if (call.type() != Call::UPDATE) return exchange->Respond({202, {}, {}});
    if (refuse_updates > 0) {
      --refuse_updates;
      return exchange->Respond({503, {}, "Agent has not finished recovery"});
    }
    exchange->Respond({202, {}, {}});
    Take(call.update().status());
  }

  void Subscribe(const Call::Subscribe& subscribe, std::shared_ptr<net::Exchange> exchange) {
    subscriptions.push_back(subscribe);
    exchange->BeginStream({200, {{"Content-Type", "application/x-protobuf"}}, {}});
    stream_ = std::move(exchange);
    Event event = OfType(Event::SUBSCRIBED);
    auto* executor = event.mutable_subscribed()->mutable_executor_info();
    executor->mutable_executor_id()->set_value("e1");
    if (default_executor) executor->set_type(mesos::v1::ExecutorInfo::DEFAULT);
    event.mutable_subscribed()->mutable_container_id()->set_value("pod");
    auto* framework = event.mutable_subscribed()->mutable_framework_info();
    framework->set_user("root");
    framework->set_name("test");
    if (killing_state) {
      framework->add_capabilities()->set_type(
          mesos::v1::FrameworkInfo::Capability::TASK_KILLING_STATE);
    }
    event.mutable_subscribed()->mutable_agent_info()->set_hostname("localhost");
    Send(event);
    for (const auto& update : subscribe.unacknowledged_updates()) Take(update.status());
  }

  void Take(const mesos::v1::TaskStatus& status) {
    for (const auto& known : statuses) {
      if (known.uuid() == status.uuid()) return;
    }
    statuses.push_back(status);
    if (!acknowledge) return;
    Event event = OfType(Event::ACKNOWLEDGED);
    *event.mutable_acknowledged()->mutable_task_id() = status.task_id();
    event.mutable_acknowledged()->set_uuid(status.uuid());
    Send(event);
  }

  static Event OfType(Event::Type type) {
    Event event;
    event.set_type(type);
    return event;
  }
  void Send(const Event& event) {
    ASSERT_NE(stream_, nullptr);
    stream_->Write(wire::EncodeRecord(event.SerializeAsString()));
  }

  net::Loop& loop_;
  int port_ = 0;
  std::unique_ptr<net::Server> server_;
  std::shared_ptr<net::Exchange> stream_;
};

// The artifact store and the model registry of a scheduler.
class SchedulerForTest {
 public:
  explicit SchedulerForTest(net::Loop& loop) {
    auto server = net::Server::Listen(
        loop, {}, [this](std::shared_ptr<net::Exchange> e) { Handle(std::move(e)); });
    EXPECT_TRUE(server.has_value());
    server_ = *std::move(server);
  }
  std::string url() const { return "http://" + server_->address(); }

  static constexpr const char* kToken = "of-the-job";  // every request has to carry it
  int away = 0;                                        // so many requests find it not ready
  int full = 0;                                        // so many uploads find no room
  std::map<std::string, std::string> artifacts;
  std::vector<std::string> registrations;  // "POST path body"

 private:
  void Handle(std::shared_ptr<net::Exchange> exchange) {
    const net::Request& request = exchange->request();
    const std::string prefix = "/v1/artifacts/";
    std::string path = request.Path();
    if (request.headers.Get("Authorization") != std::string("Bearer ") + kToken) {
      return exchange->Respond({401, {}, "no token"});
    }
    if (away > 0) {
      --away;
      return exchange->Respond({503, {}, "not the leader"});
    }
    if (!path.starts_with(prefix)) {
      registrations.push_back(request.method + " " + path + " " + request.body);
      return exchange->Respond({200, {}, R"({"version": 7})"});
    }
    std::string name = path.substr(prefix.size());
    if (request.method == "PUT" && full > 0) {
      --full;
      return exchange->Respond({507, {}, "disk has 0 bytes left"});
    }
    if (request.method == "PUT") {
      artifacts[name] = request.body;
      return exchange->Respond({201, {}, {}});
    }
    auto found = artifacts.find(name);
    if (found == artifacts.end()) return exchange->Respond({404, {}, {}});
    exchange->Respond({200, {}, found->second});
  }

  std::unique_ptr<net::Server> server_;
};

// A daemon between the two.
class DaemonTest : public testing::Test {
 protected:
  using Lines = std::vector<std::string>;

  void SetUp() override {
    folder_ = testing::TempDir() + "kiln_daemon_XXXXXX";
    ASSERT_NE(mkdtemp(folder_.data()), nullptr);
  }
  void TearDown() override {
    daemon_.reset();
    std::system(("rm -rf " + folder_).c_str());
  }

  void Start(bool checkpoint = false) {
    wire::ExecutorEnvironment environment;
    environment.framework_id = "f1";
    environment.executor_id = "e1";
    environment.agent_endpoint = agent_.address();
    environment.sandbox = folder_;
    environment.checkpoint = checkpoint;
    environment.subscription_backoff_max = std::chrono::milliseconds(20);
    daemon_ = std::make_unique<Daemon>(loop_, environment, "127.0.0.1",
                                       [this](int code) { exit_code_ = code; });
    size_t before = agent_.subscriptions.size();
    daemon_->Start();
    RunUntil([&] { return agent_.subscriptions.size() > before; });
  }

  mesos::v1::TaskInfo TaskOf(const std::string& id) {
    mesos::v1::TaskInfo task;
    task.set_name(id);
    task.mutable_task_id()->set_value(id);
    task.mutable_agent_id()->set_value("a1");
    return task;
  }
  mesos::v1::TaskInfo CommandTask(const std::string& id, const std::string& line) {
    auto task = TaskOf(id);
    task.mutable_command()->set_value(line);
    return task;
  }
  mesos::v1::TaskInfo WorkTask(const std::string& id, v1::Work work) {
    auto task = TaskOf(id);
    work.set_api_url(scheduler_.url());
    work.set_api_token(SchedulerForTest::kToken);
    task.set_data(work.SerializeAsString());
    return task;
  }

  bool RunUntil(const std::function<bool()>& done) {
    auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!done() && std::chrono::steady_clock::now() < end) {
      loop_.RunFor(std::chrono::milliseconds(2));
    }
    EXPECT_TRUE(done()) << "nothing came for 30 s";
    return done();
  }
  bool RunUntilExit() {
    return RunUntil([this] { return exit_code_.has_value(); });
  }
  // "RUNNING reason=29 healthy=1: message", without progress and TASK_STARTING, which of Kiln's own
  // work comes on a slow machine alone.
  Lines StatusesOf(const std::string& task) {
    Lines lines;
    for (const auto& status : agent_.statuses) {
      if (status.task_id().value() != task) continue;
      std::string line = mesos::v1::TaskState_Name(status.state()).substr(5);
      if (status.has_reason()) line += fmt::format(" reason={}", static_cast<int>(status.reason()));
      if (status.has_healthy()) line += fmt::format(" healthy={:d}", status.healthy());
      if (status.has_message()) line += ": " + status.message();
      bool progress = line == "RUNNING" && status.has_data();
      if (!progress && line != "STARTING") lines.push_back(line);
    }
    return lines;
  }
  // The last report of the task's data.
  v1::Report ReportOf(const std::string& task) {
    v1::Report report;
    for (const auto& status : agent_.statuses) {
      if (status.task_id().value() == task && status.has_data()) {
        report.ParseFromString(status.data());
      }
    }
    return report;
  }
  static bool IsTerminal(mesos::v1::TaskState state) {
    return state == mesos::v1::TASK_FINISHED || state == mesos::v1::TASK_FAILED ||
           state == mesos::v1::TASK_KILLED || state == mesos::v1::TASK_ERROR;
  }
  bool RunUntilEnd(const std::string& task) {
    return RunUntil([&] {
      return std::ranges::any_of(agent_.statuses, [&](const auto& status) {
        return status.task_id().value() == task && IsTerminal(status.state());
      });
    });
  }
  bool RunUntilRunning(const std::string& task) {
    return RunUntil([&] { return !StatusesOf(task).empty(); });
  }

  net::Loop loop_;
  AgentForTest agent_{loop_};
  SchedulerForTest scheduler_{loop_};
  std::string folder_;
  std::optional<int> exit_code_;
  std::unique_ptr<Daemon> daemon_;
};

}  // namespace kiln::executor
