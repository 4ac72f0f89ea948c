// Kiln's own clients against what a real master and agent answered: a server on loopback plays the
// recorded answers and streams, cut at random places; the client must give the recorded events,
// send the recorded calls, and tell refusals and ends rightly.
#include <gtest/gtest.h>

#include <cstdlib>
#include <optional>

#include "base/random.h"
#include "proto/mesos/v1/executor.pb.h"
#include "proto/mesos/v1/scheduler.pb.h"
#include "tests/mesos/matcher.h"
#include "tests/mesos/subscriptions.h"
#include "wire/mesos/executor_client.h"
#include "wire/mesos/scheduler_client.h"
#include "wire/net/loop.h"
#include "wire/net/server.h"

namespace kiln::replay {
namespace {

wire::Encoding EncodingOf(const RecordedSubscription& subscription) {
  return subscription.subscribe.request.body == Request::Body::kProtobuf ? wire::Encoding::kProtobuf
                                                                         : wire::Encoding::kJson;
}

net::Response ResponseOf(const Answer& answer) {
  net::Response response{answer.status, {}, answer.text};
  for (const auto& [name, value] : answer.headers) {
    if (name != "Content-Length" && name != "Transfer-Encoding") response.headers.Add(name, value);
  }
  return response;
}

std::string HeaderOf(const Request& request, const std::string& name) {
  for (const auto& [key, value] : request.headers) {
    if (key == name) return value;
  }
  return "";
}

// What a client told its owner.
struct Told {
  std::vector<Json> events;
  std::vector<wire::CallAnswer> answers;
  std::optional<wire::Disconnected> end;
};

// The client of either API behind one face.
class AnyClient {
 public:
  AnyClient(net::Loop& loop, const RecordedSubscription& recorded, int port, Told& told)
      : recorded_(recorded) {
    const std::string server = "127.0.0.1:" + std::to_string(port);
    const auto take = [&told](const auto& event) {
      told.events.push_back(ToJsonOfSetFields(event));
    };
    const auto end = [&told](const wire::Disconnected& why) {
      if (!told.end) told.end = why;
    };
    const auto answer = [&told](const wire::CallAnswer& one) { told.answers.push_back(one); };
    const Json& json = recorded.subscribe.request.json;
    if (recorded.api == Api::kScheduler) {
      scheduler_.emplace(loop,
                         wire::SchedulerClientOptions{
                             .masters = {server},
                             .encoding = EncodingOf(recorded),
                             .authorization = HeaderOf(recorded.subscribe.request, "Authorization"),
                             .first_pause_max = Duration::zero()},
                         wire::SchedulerClientCallbacks{
                             [this] { return Parsed<mesos::v1::scheduler::Call>().subscribe(); },
                             take, end, answer});
    } else {
      wire::ExecutorEnvironment environment;
      environment.framework_id = json["framework_id"].value("value", "");
      environment.executor_id = json["executor_id"].value("value", "");
      environment.agent_endpoint = server;
      environment.checkpoint = true;
      const std::string bearer = HeaderOf(recorded.subscribe.request, "Authorization");
      if (!bearer.empty()) environment.authentication_token = bearer.substr(sizeof("Bearer"));
      executor_.emplace(loop, environment, EncodingOf(recorded),
                        wire::ExecutorClientCallbacks{
                            [this] { return Parsed<mesos::v1::executor::Call>().subscribe(); },
                            take, end, answer});
    }
  }

  void Start() { scheduler_ ? scheduler_->Start() : executor_->Start(); }
  void Stop() { scheduler_ ? scheduler_->Stop() : executor_->Stop(); }
  Result<uint64_t> Call(const Json& json) {
    if (scheduler_) return scheduler_->Call(Parse<mesos::v1::scheduler::Call>(json));
    return executor_->Call(Parse<mesos::v1::executor::Call>(json));
  }

 private:
  template <typename T>
  static T Parse(const Json& json) {
    T message;
    EXPECT_TRUE(wire::FromJson(json.dump(), message)) << json;
    return message;
  }
  template <typename T>
  T Parsed() const {
    return Parse<T>(recorded_.subscribe.request.json);
  }

  const RecordedSubscription& recorded_;
  std::optional<wire::SchedulerClient> scheduler_;
  std::optional<wire::ExecutorClient> executor_;
};

class ClientReplay {
 public:
  explicit ClientReplay(const RecordedSubscription& recorded, Random& random)
      : recorded_(recorded), random_(random) {
    auto server = net::Server::Listen(
        loop_, {}, [this](std::shared_ptr<net::Exchange> exchange) { Serve(std::move(exchange)); });
    EXPECT_TRUE(server);
    server_ = *std::move(server);
    client_.emplace(loop_, recorded_, server_->port(), told_);
  }

  void Run() {
    client_->Start();
    if (recorded_.subscribe.answer.body != Answer::Body::kStream) return ExpectRefusal();
    ASSERT_TRUE(RunUntil([&] { return stream_ != nullptr; }));
    for (const auto& item : recorded_.items) {
      if (const auto* event = std::get_if<Event>(&item)) {
        Send(*event);
      } else {
        Call(std::get<Exchange>(item));
      }
      if (testing::Test::HasFailure()) return;
      if (ended_) break;
    }
    ASSERT_TRUE(RunUntil([&] { return told_.events.size() >= sent_.size(); }));
    for (size_t i = 0; i < sent_.size(); ++i) EXPECT_EQ(told_.events[i], sent_[i]);
    const bool error = Sent("ERROR");
    EXPECT_EQ(told_.end.has_value(), ended_ || error);
    if (told_.end) {
      EXPECT_EQ(told_.end->subscribed, Sent("SUBSCRIBED"));
      EXPECT_EQ(told_.end->final, error || torn_down_ || Sent("SHUTDOWN"));
    }
    client_->Stop();
  }

 private:
  bool RunUntil(const std::function<bool()>& condition) {
    for (int i = 0; i < 5000 && !condition(); ++i) loop_.RunFor(std::chrono::milliseconds(1));
    return condition();
  }

  bool Sent(const std::string& type) const {
    return std::any_of(sent_.begin(), sent_.end(),
                       [&](const Json& event) { return event["type"] == type; });
  }

  void Serve(std::shared_ptr<net::Exchange> exchange) {
    const Exchange* recorded = subscribed_ ? call_ : &recorded_.subscribe;
    if (!recorded) return exchange->Respond({503, {}, "not recorded"});  // it tries again
    ExpectSame(recorded->request, exchange->request());
    if (recorded->answer.body != Answer::Body::kStream) {
      exchange->Respond(ResponseOf(recorded->answer));
    } else {
      stream_ = exchange;
      stream_->BeginStream(ResponseOf(recorded->answer));
    }
    subscribed_ = true;
  }

  // The message in the recorded request; both as our message types read it, with the defaults that
  // are written into JSON.
  void ExpectSame(const Request& recorded, const net::Request& found) {
    EXPECT_EQ(found.method, "POST");
    EXPECT_EQ(found.target, recorded.path);
    for (const auto& [name, value] : recorded.headers) {
      EXPECT_EQ(found.headers.Get(name).value_or("none"), value) << name;
    }
    const auto expected = NewMessage(recorded_.api, Role::kCall);
    const auto message = NewMessage(recorded_.api, Role::kCall);
    const wire::Encoding encoding = EncodingOf(recorded_);
    EXPECT_TRUE(wire::FromJson(recorded.json.dump(), *expected));
    EXPECT_TRUE(wire::Parse(encoding, wire::Serialize(encoding, *expected), *expected));
    EXPECT_TRUE(wire::Parse(encoding, found.body, *message));
    EXPECT_EQ(ToJsonOfSetFields(*message), ToJsonOfSetFields(*expected));
  }

  // One record, in up to three pieces.
  void Send(const Event& event) {
    if (!event.end.empty()) {
      ASSERT_TRUE(RunUntil([&] { return told_.events.size() >= sent_.size(); }));
    }
    if (event.end == "last chunk") stream_->EndStream();
    if (event.end == "connection closed") stream_->Abort();
    if (!event.end.empty()) {
      ended_ = true;
      ASSERT_TRUE(RunUntil([&] { return told_.end.has_value(); }));
      return;
    }
    std::string body = event.json.dump();
    if (EncodingOf(recorded_) == wire::Encoding::kProtobuf) {
      const auto bytes = EncodeProtobuf(recorded_.api, Role::kEvent, event.json);
      ASSERT_TRUE(bytes) << bytes.error().message;
      body = *bytes;
    }
    std::string record = std::to_string(body.size()) + "\n" + body;
    for (int piece = 0; piece < 2 && record.size() > 1; ++piece) {
      const size_t size = 1 + random_.Below(record.size() - 1);
      stream_->Write(record.substr(0, size));
      record.erase(0, size);
    }
    stream_->Write(record);
    sent_.push_back(event.json);
  }

  void Call(const Exchange& call) {
    ASSERT_TRUE(RunUntil([&] { return told_.events.size() >= sent_.size(); }));
    call_ = &call;
    const size_t answers = told_.answers.size();
    const auto number = client_->Call(call.request.json);
    ASSERT_TRUE(number) << number.error().message;
    ASSERT_TRUE(RunUntil([&] { return told_.answers.size() > answers; }));
    const wire::CallAnswer& answer = told_.answers.back();
    EXPECT_EQ(answer.call, *number);
    EXPECT_EQ(answer.status, call.answer.status);
    EXPECT_EQ(answer.text, call.answer.text);
    // The endpoint sends its clients elsewhere.
    if (answer.status == 503 || answer.status == 307) ended_ = told_.end.has_value();
    torn_down_ = torn_down_ || call.request.json["type"] == "TEARDOWN";
    call_ = nullptr;
  }

  void ExpectRefusal() {
    const Answer& answer = recorded_.subscribe.answer;
    ASSERT_TRUE(RunUntil([&] { return told_.end.has_value(); }));
    EXPECT_FALSE(told_.end->subscribed);
    EXPECT_NE(told_.end->why.message.find(answer.text), std::string::npos)
        << told_.end->why.message;
    EXPECT_EQ(told_.end->final, answer.status / 100 == 4 && answer.status != 404);
    client_->Stop();
  }

  const RecordedSubscription& recorded_;
  Random& random_;
  net::Loop loop_;
  std::unique_ptr<net::Server> server_;
  Told told_;
  std::optional<AnyClient> client_;
  std::shared_ptr<net::Exchange> stream_;
  std::vector<Json> sent_;
  const Exchange* call_ = nullptr;  // the one under way
  bool subscribed_ = false;
  bool ended_ = false;
  bool torn_down_ = false;
};

class ClientReplayTest : public testing::Test {
 protected:
  void SetUp() override {
    if (std::getenv("KILN_MESOS_EXCHANGES") == nullptr) {
      GTEST_SKIP() << "KILN_MESOS_EXCHANGES does not name the folder of recordings";
    }
  }

  // How many subscriptions were played.
  static int PlayAll(Api api) {
    Random random(7);
    int played = 0;
    for (const auto& file :
         std::filesystem::directory_iterator(std::getenv("KILN_MESOS_EXCHANGES"))) {
      if (file.path().extension() != ".json") continue;
      const auto scenario = ReadScenario(file.path());
      EXPECT_TRUE(scenario) << scenario.error().message;
      for (const RecordedSubscription& recorded : SubscriptionsOf(*scenario, api)) {
        SCOPED_TRACE(recorded.name);
        ClientReplay(recorded, random).Run();
        if (HasFailure()) return played;
        ++played;
      }
    }
    return played;
  }
};

TEST_F(ClientReplayTest, TheSchedulerClientGivesTheRecordedEventsAndSendsTheRecordedCalls) {
  EXPECT_GT(PlayAll(Api::kScheduler), 0);
}

TEST_F(ClientReplayTest, TheExecutorClientGivesTheRecordedEventsAndSendsTheRecordedCalls) {
  EXPECT_GT(PlayAll(Api::kExecutor), 0);
}

}  // namespace
}  // namespace kiln::replay
