#include "wire/mesos/executor_subscription.h"

#include <gmock/gmock.h>

#include <map>

#include "wire/mesos/actions_for_test.h"

namespace kiln::wire {
namespace {

using mesos::v1::executor::Call;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

TEST(ParseMesosDuration, ReadsWhatMesosPrints) {
  const std::pair<const char*, Duration> cases[] = {
      {"15mins", minutes(15)},      {"2secs", seconds(2)},      {"1.5hrs", minutes(90)},
      {"500ms", milliseconds(500)}, {"0ns", Duration(0)},       {"7us", Duration(7000)},
      {"1days", hours(24)},         {"2weeks", hours(24 * 14)}, {"0.25secs", milliseconds(250)}};
  for (const auto& [text, duration] : cases) EXPECT_EQ(ParseMesosDuration(text), duration) << text;
  for (const char* text :
       {"", "15", "mins", "15 mins", "15min", "-1secs", "1e30weeks", "nansecs"}) {
    EXPECT_FALSE(ParseMesosDuration(text)) << text;
  }
}

Result<ExecutorEnvironment> Read(const std::map<std::string, std::string>& variables) {
  return ReadExecutorEnvironment([&](const std::string& name) {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  });
}

TEST(ReadExecutorEnvironment, TakesWhatAgentsSet) {
  std::map<std::string, std::string> variables = {{"MESOS_FRAMEWORK_ID", "f"},
                                                  {"MESOS_EXECUTOR_ID", "e"},
                                                  {"MESOS_SLAVE_ID", "a"},
                                                  {"MESOS_AGENT_ENDPOINT", "127.0.0.1:5051"},
                                                  {"MESOS_DIRECTORY", "/host/path"},
                                                  {"MESOS_SANDBOX", "/mnt/mesos/sandbox"},
                                                  {"MESOS_CHECKPOINT", "1"},
                                                  {"MESOS_RECOVERY_TIMEOUT", "10mins"},
                                                  {"MESOS_SUBSCRIPTION_BACKOFF_MAX", "1.5secs"},
                                                  {"MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD", "3secs"},
                                                  {"MESOS_EXECUTOR_AUTHENTICATION_TOKEN", "t"}};
  EXPECT_EQ(*Read(variables),
            (ExecutorEnvironment{"f", "e", "a", "127.0.0.1:5051", "/mnt/mesos/sandbox", true,
                                 minutes(10), milliseconds(1500), seconds(3), "t"}));
  variables.erase("MESOS_SANDBOX");
  EXPECT_EQ(Read(variables)->sandbox, "/host/path");
  variables["MESOS_CHECKPOINT"] = "0";
  EXPECT_FALSE(Read(variables)->checkpoint);
  variables["MESOS_RECOVERY_TIMEOUT"] = "soon";
  EXPECT_THAT(Read(variables).error().message,
              ::testing::StartsWith("MESOS_RECOVERY_TIMEOUT: duration: found 'soon'"));
  variables.erase("MESOS_EXECUTOR_ID");
  EXPECT_EQ(Read(variables).error().message,
            "environment variable MESOS_EXECUTOR_ID: found none, expected the value an agent sets");
}

TEST(ReadExecutorEnvironment, FollowsTheTlsOfItsAgentAsLibprocessDoes) {
  const std::map<std::string, std::string> agent = {{"MESOS_FRAMEWORK_ID", "f"},
                                                    {"MESOS_EXECUTOR_ID", "e"},
                                                    {"MESOS_AGENT_ENDPOINT", "10.0.0.1:5051"},
                                                    {"SSL_CERT_FILE", "/of/openssl"}};
  const std::string plain = "10.0.0.1:5051", secure = "https://10.0.0.1:5051";
  struct Case {
    std::map<std::string, std::string> variables;
    std::string endpoint;
    net::TlsClientOptions tls;
  };
  for (const Case& c : std::vector<Case>{
           {{}, plain, {}},
           {{{"LIBPROCESS_SSL_ENABLED", "0"}, {"LIBPROCESS_SSL_CA_FILE", "/ca"}}, plain, {}},
           {{{"LIBPROCESS_SSL_ENABLED", "1"}, {"LIBPROCESS_SSL_CA_FILE", "/ca"}},
            secure,
            {.ca_file = "/ca", .verify = false}},
           {{{"LIBPROCESS_SSL_ENABLED", "true"},
             {"LIBPROCESS_SSL_CA_DIR", "/cas"},
             {"LIBPROCESS_SSL_CERT_FILE", "/cert"},
             {"LIBPROCESS_SSL_KEY_FILE", "/key"},
             {"LIBPROCESS_SSL_VERIFY_SERVER_CERT", "true"}},
            secure,
            {.ca_dir = "/cas", .certificate = "/cert", .key = "/key"}},
           {{{"SSL_ENABLED", "1"}, {"SSL_VERIFY_CERT", "1"}, {"SSL_KEY_FILE", "/key"}},
            secure,
            {.certificate = "/of/openssl", .key = "/key"}}}) {
    std::map<std::string, std::string> variables = c.variables;
    variables.insert(agent.begin(), agent.end());
    const auto found = Read(variables);
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_EQ(found->agent_endpoint, c.endpoint);
    EXPECT_EQ(found->tls, c.tls);
  }
}

class ExecutorSubscriptionTest : public ::testing::Test {
 protected:
  ExecutorSubscriptionTest() { Make(true); }

  void Make(bool checkpoint) {
    ExecutorEnvironment environment;
    environment.framework_id = "f";
    environment.executor_id = "e";
    environment.agent_endpoint = "127.0.0.1:5051";
    environment.checkpoint = checkpoint;
    environment.authentication_token = "token";
    subscription_.emplace(
        environment, Encoding::kJson, [this] { return subscribe_; }, 7);
    now_ = {};
  }

  net::Request Subscribe() {
    EXPECT_EQ(Text(subscription_->OnTimer(now_)), "connect 127.0.0.1:5051; timer 75s");
    const Actions actions = subscription_->OnConnected(now_);
    EXPECT_EQ(Text(actions), "subscribe; timer 75s");
    return std::get<SendSubscribe>(actions.at(0)).request;
  }
  std::string Head(int status) {
    return Text(subscription_->OnHead(status, {{"Content-Type", "application/json"}}, now_));
  }
  std::string Record(const std::string& record) {
    return Text(subscription_->OnBytes(EncodeRecord(record), now_));
  }
  void SubscribeFully() {
    Subscribe();
    EXPECT_EQ(Head(200), "timer none");
    EXPECT_EQ(Record(R"({"type":"SUBSCRIBED"})"), "event SUBSCRIBED");
  }
  Actions Break() { return subscription_->OnClosed({ErrorCode::kUnavailable, "reset", ""}, now_); }

  Call::Subscribe subscribe_;
  std::optional<ExecutorSubscription> subscription_;
  Instant now_{};
};

TEST_F(ExecutorSubscriptionTest, SubscribesAtOnceWithWhatIsNotAcknowledged) {
  subscribe_.add_unacknowledged_updates()->mutable_status()->mutable_task_id()->set_value("t");
  subscribe_.mutable_unacknowledged_updates(0)->mutable_status()->set_state(
      mesos::v1::TASK_RUNNING);
  EXPECT_EQ(Text(subscription_->Start()), "timer 0s");
  const net::Request request = Subscribe();
  EXPECT_EQ(request.target, "/api/v1/executor");
  EXPECT_EQ(request.headers, (net::Headers{{"Content-Type", "application/json"},
                                           {"Accept", "application/json"},
                                           {"Authorization", "Bearer token"}}));
  EXPECT_EQ(request.body,
            R"({"executor_id":{"value":"e"},"framework_id":{"value":"f"},"type":"SUBSCRIBE",)"
            R"("subscribe":{"unacknowledged_updates":[{"status":{"task_id":{"value":"t"},)"
            R"("state":"TASK_RUNNING"}}]}})");
}

TEST_F(ExecutorSubscriptionTest, SendsSubscribeMessageEvenWhenItIsEmpty) {
  subscription_->Start();
  EXPECT_THAT(Subscribe().body, ::testing::HasSubstr(R"("subscribe":{}})"));
}

TEST_F(ExecutorSubscriptionTest, SendsCallsWithItsIds) {
  subscription_->Start();
  Actions actions;
  Call call;
  call.set_type(Call::MESSAGE);
  call.mutable_message()->set_data("hi");
  EXPECT_FALSE(subscription_->Send(call, actions));
  SubscribeFully();
  EXPECT_EQ(*subscription_->Send(call, actions), 1u);
  ASSERT_EQ(Text(actions), "call 1");
  EXPECT_EQ(std::get<SendCall>(actions[0]).request.body,
            R"({"executor_id":{"value":"e"},"framework_id":{"value":"f"},"type":"MESSAGE",)"
            R"("message":{"data":"aGk="}})");
}

TEST_F(ExecutorSubscriptionTest, WithoutCheckpointALostAgentIsTheEnd) {
  Make(false);
  subscription_->Start();
  SubscribeFully();
  EXPECT_EQ(Text(Break()),
            "close; final, subscribed: agent lost, and the framework does not checkpoint: reset");
}

TEST_F(ExecutorSubscriptionTest, WithCheckpointPausesStayBelowTheMaximumUntilTheTimeout) {
  subscription_->Start();
  SubscribeFully();
  double longest = 0;
  int tries = 0;
  Actions actions = Break();
  EXPECT_FALSE(std::get<Disconnected>(actions.at(1)).final);
  while (!std::get<Disconnected>(actions.at(1)).final) {
    const double pause = ToSeconds(*std::get<SetTimer>(actions.back()).delay);
    ASSERT_LE(pause, 2.0);
    longest = std::max(longest, pause);
    now_ = now_ + FromSeconds(pause);
    ++tries;
    subscription_->OnTimer(now_);
    actions = Break();
  }
  EXPECT_GT(longest, 1.9);
  EXPECT_GT(tries, 700);
  EXPECT_GE(now_ - Instant{}, minutes(15));
  EXPECT_LT(now_ - Instant{}, minutes(15) + seconds(2));
}

TEST_F(ExecutorSubscriptionTest, ANewSubscriptionStartsTheRecoveryTimeAnew) {
  subscription_->Start();
  SubscribeFully();
  for (int i = 0; i < 3; ++i) {
    Break();
    now_ = now_ + minutes(14);
    SubscribeFully();
  }
  EXPECT_FALSE(std::get<Disconnected>(Break().at(1)).final);
}

TEST_F(ExecutorSubscriptionTest, TriesAgainWhileTheAgentRecoversButNotWhenItIsRefused) {
  for (const int status : {404, 503, 500}) {
    Make(true);
    subscription_->Start();
    Subscribe();
    Head(status);
    EXPECT_FALSE(std::get<Disconnected>(subscription_->OnStreamEnd(now_).at(1)).final) << status;
  }
  for (const int status : {400, 401, 403, 415}) {
    Make(true);
    subscription_->Start();
    Subscribe();
    Head(status);
    EXPECT_TRUE(std::get<Disconnected>(subscription_->OnStreamEnd(now_).at(1)).final) << status;
  }
}

TEST_F(ExecutorSubscriptionTest, StaysSubscribedWhileARecoveringAgentTurnsItsCallsAway) {
  subscription_->Start();
  SubscribeFully();
  Actions actions;
  ASSERT_TRUE(subscription_->Send(Call(), actions));
  const std::string text = "Agent has not finished recovery";
  EXPECT_EQ(Text(subscription_->OnAnswer(1, net::Response{503, {}, text}, now_)),
            "answer 1 503 " + text);
  EXPECT_TRUE(subscription_->Send(Call(), actions));
}

TEST_F(ExecutorSubscriptionTest, ShutdownAndErrorEndIt) {
  subscription_->Start();
  SubscribeFully();
  EXPECT_EQ(Record(R"({"type":"SHUTDOWN"})"), "event SHUTDOWN");
  EXPECT_EQ(Text(subscription_->OnStreamEnd(now_)),
            "close; final, subscribed: shut down by the agent: the stream ended");
  Make(true);
  subscription_->Start();
  SubscribeFully();
  EXPECT_EQ(Record(R"({"type":"ERROR","error":{"message":"no"}})"),
            "event ERROR; close; final, subscribed: refused by an ERROR event");
}

}  // namespace
}  // namespace kiln::wire
