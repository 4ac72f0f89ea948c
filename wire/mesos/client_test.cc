// The clients on real sockets, against a server that plays master or agent.
#include <gmock/gmock.h>

#include "proto/mesos/v1/executor.pb.h"
#include "proto/mesos/v1/scheduler.pb.h"
#include "wire/mesos/executor_client.h"
#include "wire/mesos/recordio.h"
#include "wire/mesos/scheduler_client.h"
#include "wire/net/loop.h"
#include "wire/net/server.h"

namespace kiln::wire {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;

// Notes what comes in; streams stay open until told.
class FakePeer {
 public:
  explicit FakePeer(net::Loop& loop) {
    auto server = net::Server::Listen(loop, {}, [this](std::shared_ptr<net::Exchange> exchange) {
      on_request(std::move(exchange));
    });
    EXPECT_TRUE(server) << server.error().message;
    server_ = *std::move(server);
  }

  std::string address() const { return server_->address(); }

  // Starts the stream of a subscription with these records in JSON.
  static void Stream(net::Exchange& exchange, const std::vector<std::string>& records) {
    net::Response head;
    head.headers = {{"Content-Type", "application/json"}, {"Mesos-Stream-Id", "s-1"}};
    exchange.BeginStream(head);
    for (const auto& record : records) exchange.Write(EncodeRecord(record));
  }

  std::function<void(std::shared_ptr<net::Exchange>)> on_request;

 private:
  std::unique_ptr<net::Server> server_;
};

constexpr char kSubscribed[] =
    R"({"type":"SUBSCRIBED","subscribed":{"framework_id":{"value":"f-1"}}})";

mesos::v1::scheduler::Call::Subscribe AsKiln() {
  mesos::v1::scheduler::Call::Subscribe subscribe;
  subscribe.mutable_framework_info()->set_user("root");
  subscribe.mutable_framework_info()->set_name("kiln");
  return subscribe;
}

// A call as a master sees it: its type, the framework and the stream it names.
std::string Describe(const mesos::v1::scheduler::Call& call, const net::Request& request) {
  return fmt::format("{} id '{}' stream '{}'", mesos::v1::scheduler::Call::Type_Name(call.type()),
                     call.framework_id().value(),
                     request.headers.Get("Mesos-Stream-Id").value_or(""));
}

net::Response AnswerOf(int status, std::string body) {
  net::Response response;
  response.status = status;
  response.body = std::move(body);
  return response;
}

TEST(SchedulerClient, FollowsTheLeaderCallsItAndComesBackUnderItsId) {
  net::Loop loop;
  std::vector<std::string> log;
  std::vector<std::string> seen;  // by the masters
  FakePeer follower(loop);
  FakePeer leader(loop);
  follower.on_request = [&](std::shared_ptr<net::Exchange> exchange) {
    seen.push_back("follower");
    net::Response moved;
    moved.status = 307;
    moved.headers = {{"Location", "//" + leader.address() + "/api/v1/scheduler"}};
    exchange->Respond(std::move(moved));
  };
  std::vector<std::shared_ptr<net::Exchange>> streams;
  leader.on_request = [&](std::shared_ptr<net::Exchange> exchange) {
    mesos::v1::scheduler::Call call;
    ASSERT_TRUE(FromJson(exchange->request().body, call));
    seen.push_back(Describe(call, exchange->request()));
    if (call.type() != mesos::v1::scheduler::Call::SUBSCRIBE) {
      const bool kill = call.type() == mesos::v1::scheduler::Call::KILL;
      return exchange->Respond(kill ? AnswerOf(400, "bad") : AnswerOf(202, ""));
    }
    if (streams.empty()) {
      FakePeer::Stream(*exchange, {kSubscribed, R"({"type":"HEARTBEAT"})"});
    } else {
      FakePeer::Stream(*exchange,
                       {kSubscribed, R"({"type":"ERROR","error":{"message":"enough"}})"});
    }
    streams.push_back(std::move(exchange));
  };

  SchedulerClientOptions options;
  options.masters = {follower.address()};
  options.encoding = Encoding::kJson;
  options.first_pause_max = std::chrono::milliseconds(5);
  SchedulerClientCallbacks callbacks;
  callbacks.subscribe = AsKiln;
  SchedulerClient* client = nullptr;
  callbacks.on_event = [&](const mesos::v1::scheduler::Event& event) {
    log.push_back("event " + mesos::v1::scheduler::Event::Type_Name(event.type()));
    if (event.type() != mesos::v1::scheduler::Event::HEARTBEAT) return;
    mesos::v1::scheduler::Call call;
    call.set_type(mesos::v1::scheduler::Call::REVIVE);
    EXPECT_EQ(client->Call(call), 1u);
    call.set_type(mesos::v1::scheduler::Call::KILL);
    call.mutable_kill()->mutable_task_id()->set_value("t");
    EXPECT_EQ(client->Call(call), 2u);
  };
  callbacks.on_answer = [&](const CallAnswer& answer) {
    log.push_back(fmt::format("answer {} {} {}", answer.call, answer.status, answer.text));
    if (answer.call == 2) streams.front()->Abort();
  };
  callbacks.on_disconnected = [&](const Disconnected& end) {
    log.push_back(fmt::format("end subscribed {} final {}", end.subscribed, end.final));
    if (end.final) loop.Stop();
  };
  SchedulerClient scheduler(loop, options, callbacks);
  client = &scheduler;
  scheduler.Start();
  loop.RunFor(seconds(20));
  EXPECT_THAT(
      seen, ElementsAre("follower", "SUBSCRIBE id '' stream ''", "REVIVE id 'f-1' stream 's-1'",
                        "KILL id 'f-1' stream 's-1'", "follower", "SUBSCRIBE id 'f-1' stream ''"));
  EXPECT_THAT(log,
              ElementsAre("end subscribed false final false", "event SUBSCRIBED", "event HEARTBEAT",
                          "answer 1 202 ", "answer 2 400 bad", "end subscribed true final false",
                          "end subscribed false final false", "event SUBSCRIBED", "event ERROR",
                          "end subscribed true final true"));
}

// SUBSCRIBE and two calls, as a master reads them.
std::vector<net::Request> SubscribeAndTwoCalls(Encoding encoding) {
  net::Loop loop;
  std::vector<net::Request> seen;
  std::shared_ptr<net::Exchange> stream;
  FakePeer master(loop);
  master.on_request = [&](std::shared_ptr<net::Exchange> exchange) {
    seen.push_back(exchange->request());
    if (seen.size() == 3) loop.Stop();
    if (stream) return exchange->Respond(AnswerOf(202, ""));
    stream = std::move(exchange);
    mesos::v1::scheduler::Event event;
    EXPECT_TRUE(FromJson(kSubscribed, event));
    stream->BeginStream(
        {200, {{"Content-Type", MediaType(encoding)}, {"Mesos-Stream-Id", "s-1"}}, ""});
    stream->Write(EncodeRecord(Serialize(encoding, event)));
  };
  SchedulerClientOptions options;
  options.masters = {master.address()};
  options.encoding = encoding;
  SchedulerClientCallbacks callbacks;
  callbacks.subscribe = AsKiln;
  SchedulerClient* client = nullptr;
  callbacks.on_event = [&](const mesos::v1::scheduler::Event&) {
    mesos::v1::scheduler::Call call;
    call.set_type(mesos::v1::scheduler::Call::REVIVE);
    EXPECT_TRUE(client->Call(call));
    EXPECT_TRUE(client->Call(call));
  };
  callbacks.on_disconnected = [](const Disconnected&) {};
  SchedulerClient scheduler(loop, options, callbacks);
  client = &scheduler;
  scheduler.Start();
  loop.RunFor(seconds(20));
  return seen;
}

TEST(SchedulerClient, CallsHaveAConnectionOfTheirOwnBesideThatOfTheStream) {
  const auto seen = SubscribeAndTwoCalls(Encoding::kJson);
  ASSERT_EQ(seen.size(), 3u);
  EXPECT_NE(seen[1].peer, seen[0].peer);
  EXPECT_EQ(seen[2].peer, seen[1].peer);
}

TEST(SchedulerClient, SendsNoHeaderBesideThoseThatMastersTake) {
  const std::pair<Encoding, std::string> cases[] = {
      {Encoding::kJson, "application/json"}, {Encoding::kProtobuf, "application/x-protobuf"}};
  for (const auto& [encoding, type] : cases) {
    const auto seen = SubscribeAndTwoCalls(encoding);
    ASSERT_EQ(seen.size(), 3u);
    const std::string host(*seen[0].headers.Get("Host"));
    EXPECT_EQ(seen[0].headers,
              (net::Headers{{"Host", host},
                            {"Content-Type", type},
                            {"Accept", type},
                            {"Content-Length", std::to_string(seen[0].body.size())}}));
    EXPECT_EQ(seen[1].headers,
              (net::Headers{{"Host", host},
                            {"Content-Type", type},
                            {"Accept", type},
                            {"Mesos-Stream-Id", "s-1"},
                            {"Content-Length", std::to_string(seen[1].body.size())}}));
  }
}

TEST(SchedulerClient, AMasterMayStandBehindAProxysPath) {
  net::Loop loop;
  std::vector<std::string> seen;
  std::shared_ptr<net::Exchange> stream;
  FakePeer proxy(loop);
  proxy.on_request = [&](std::shared_ptr<net::Exchange> exchange) {
    seen.push_back(exchange->request().target);
    if (seen.size() == 2) loop.Stop();
    if (stream) return exchange->Respond(AnswerOf(202, ""));
    FakePeer::Stream(*exchange, {kSubscribed});
    stream = std::move(exchange);
  };
  SchedulerClientOptions options;
  options.masters = {proxy.address() + "/mesos"};
  options.encoding = Encoding::kJson;
  options.first_pause_max = std::chrono::milliseconds(5);
  SchedulerClientCallbacks callbacks;
  callbacks.subscribe = AsKiln;
  SchedulerClient* client = nullptr;
  callbacks.on_event = [&](const mesos::v1::scheduler::Event&) {
    mesos::v1::scheduler::Call call;
    call.set_type(mesos::v1::scheduler::Call::REVIVE);
    EXPECT_TRUE(client->Call(call));
  };
  callbacks.on_disconnected = [](const Disconnected&) {};
  SchedulerClient scheduler(loop, options, callbacks);
  client = &scheduler;
  scheduler.Start();
  loop.RunFor(seconds(20));
  EXPECT_THAT(seen, ElementsAre("/mesos/api/v1/scheduler", "/mesos/api/v1/scheduler"));
}

TEST(SchedulerClient, KeepsTryingAMasterThatIsNotThereUntilStopped) {
  net::Loop loop;
  std::string nobody;
  {
    FakePeer gone(loop);
    nobody = gone.address();
  }
  SchedulerClientOptions options;
  options.masters = {nobody, "no address"};
  options.first_pause_max = std::chrono::milliseconds(1);
  SchedulerClient* client = nullptr;
  int failures = 0;
  SchedulerClientCallbacks callbacks;
  callbacks.on_disconnected = [&](const Disconnected& end) {
    EXPECT_FALSE(end.final);
    if (++failures < 5) return;
    client->Stop();
    loop.Stop();
  };
  SchedulerClient scheduler(loop, options, callbacks);
  client = &scheduler;
  scheduler.Start();
  loop.RunFor(seconds(20));
  EXPECT_EQ(failures, 5);
}

TEST(ExecutorClient, SubscribesUpdatesAndEndsAtShutdown) {
  net::Loop loop;
  std::vector<std::string> log;
  FakePeer agent(loop);
  std::shared_ptr<net::Exchange> stream;
  agent.on_request = [&](std::shared_ptr<net::Exchange> exchange) {
    mesos::v1::executor::Call call;
    ASSERT_TRUE(FromJson(exchange->request().body, call));
    log.push_back(mesos::v1::executor::Call::Type_Name(call.type()) + " " +
                  call.executor_id().value() + " " +
                  std::string(exchange->request().headers.Get("Authorization").value_or("")));
    if (call.type() == mesos::v1::executor::Call::SUBSCRIBE) {
      FakePeer::Stream(*exchange, {R"({"type":"SUBSCRIBED"})"});
      stream = std::move(exchange);
      return;
    }
    net::Response taken;
    taken.status = 202;
    exchange->Respond(std::move(taken));
    stream->Write(EncodeRecord(R"({"type":"SHUTDOWN"})"));
    stream->EndStream();
  };
  ExecutorEnvironment environment;
  environment.framework_id = "f";
  environment.executor_id = "e";
  environment.agent_endpoint = agent.address();
  environment.checkpoint = true;
  environment.authentication_token = "secret";
  ExecutorClient* client = nullptr;
  ExecutorClientCallbacks callbacks;
  callbacks.subscribe = [] { return mesos::v1::executor::Call::Subscribe(); };
  callbacks.on_event = [&](const mesos::v1::executor::Event& event) {
    log.push_back("event " + mesos::v1::executor::Event::Type_Name(event.type()));
    if (event.type() != mesos::v1::executor::Event::SUBSCRIBED) return;
    mesos::v1::executor::Call call;
    call.set_type(mesos::v1::executor::Call::MESSAGE);
    call.mutable_message()->set_data("hi");
    EXPECT_TRUE(client->Call(call));
  };
  callbacks.on_disconnected = [&](const Disconnected& end) {
    log.push_back("end " + end.why.message);
    if (end.final) loop.Stop();
  };
  ExecutorClient executor(loop, environment, Encoding::kJson, callbacks);
  client = &executor;
  executor.Start();
  loop.RunFor(seconds(20));
  EXPECT_THAT(
      log, ElementsAre("SUBSCRIBE e Bearer secret", "event SUBSCRIBED", "MESSAGE e Bearer secret",
                       "event SHUTDOWN", "end shut down by the agent: the stream ended"));
}

}  // namespace
}  // namespace kiln::wire
