#include "wire/mesos/scheduler_subscription.h"

#include <gmock/gmock.h>

#include "wire/mesos/actions_for_test.h"

namespace kiln::wire {
namespace {

using mesos::v1::scheduler::Call;
using mesos::v1::scheduler::Event;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr char kSubscribed[] =
    R"({"type":"SUBSCRIBED","subscribed":{"framework_id":{"value":"f-1"},)"
    R"("heartbeat_interval_seconds":2}})";

class SchedulerSubscriptionTest : public ::testing::Test {
 protected:
  SchedulerSubscriptionTest() { Make({"one:5050", "two:5050"}); }

  void Make(std::vector<std::string> masters, Encoding encoding = Encoding::kJson) {
    SchedulerClientOptions options;
    options.masters = std::move(masters);
    options.encoding = encoding;
    options.authorization = "Basic eA==";
    MakeWith(std::move(options));
  }
  void MakeWith(SchedulerClientOptions options) {
    subscription_.emplace(
        std::move(options), [this] { return subscribe_; }, 7);
    subscribe_.mutable_framework_info()->set_user("root");
    subscribe_.mutable_framework_info()->set_name("kiln");
  }

  // From Start, or from the pause before a try, to the sent SUBSCRIBE: its request.
  net::Request Subscribe(const std::string& authority) {
    const Actions first = subscription_->OnTimer(now_);
    EXPECT_EQ(Text(first), "connect " + authority + "; timer 75s");
    const Actions actions = subscription_->OnConnected(now_);
    EXPECT_EQ(Text(actions), "subscribe; timer 75s");
    return std::get<SendSubscribe>(actions.at(0)).request;
  }

  std::string Head(int status = 200, std::string stream_id = "s-1") {
    return Text(subscription_->OnHead(
        status, {{"Content-Type", "application/json"}, {"Mesos-Stream-Id", stream_id}}, now_));
  }
  std::string Bytes(const std::string& bytes) { return Text(subscription_->OnBytes(bytes, now_)); }
  std::string Record(const std::string& record) { return Bytes(EncodeRecord(record)); }

  void SubscribeFully(const std::string& authority = "one:5050") {
    Subscribe(authority);
    EXPECT_EQ(Head(), "timer 75s");
    EXPECT_EQ(Record(kSubscribed), "event SUBSCRIBED; timer 10s");
  }

  Call::Subscribe subscribe_;
  std::optional<SchedulerSubscription> subscription_;
  Instant now_{};
};

TEST_F(SchedulerSubscriptionTest, SubscribesWithOneTypeInAcceptAndDeliversEvents) {
  EXPECT_EQ(Text(subscription_->Start()), "timer 0s");
  const net::Request request = Subscribe("one:5050");
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.target, "/api/v1/scheduler");
  EXPECT_EQ(request.headers, (net::Headers{{"Content-Type", "application/json"},
                                           {"Accept", "application/json"},
                                           {"Authorization", "Basic eA=="}}));
  EXPECT_EQ(request.body,
            R"({"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"root","name":"kiln",)"
            R"("failover_timeout":0.0,"checkpoint":false}}})");
  EXPECT_EQ(Head(), "timer 75s");
  EXPECT_EQ(Bytes(EncodeRecord(kSubscribed).substr(0, 20)), "timer 75s");
  EXPECT_EQ(Bytes(EncodeRecord(kSubscribed).substr(20) + EncodeRecord(R"({"type":"HEARTBEAT"})")),
            "event SUBSCRIBED; event HEARTBEAT; timer 10s");
  EXPECT_EQ(Record(R"({"type":"OF_A_NEWER_MESOS"})"), "timer 10s");
}

TEST_F(SchedulerSubscriptionTest, SendsCallsWithIdAndStreamOnlyWhileSubscribed) {
  Actions actions;
  Call call;
  call.set_type(Call::REVIVE);
  EXPECT_EQ(subscription_->Send(call, actions).error(),
            (Error{ErrorCode::kFailedPrecondition, "call REVIVE: not subscribed", ""}));
  subscription_->Start();
  SubscribeFully();
  EXPECT_EQ(*subscription_->Send(call, actions), 1u);
  EXPECT_EQ(*subscription_->Send(call, actions), 2u);
  ASSERT_EQ(Text(actions), "call 1; call 2");
  const net::Request& request = std::get<SendCall>(actions[0]).request;
  EXPECT_EQ(request.headers, (net::Headers{{"Content-Type", "application/json"},
                                           {"Accept", "application/json"},
                                           {"Authorization", "Basic eA=="},
                                           {"Mesos-Stream-Id", "s-1"}}));
  EXPECT_EQ(request.body, R"({"framework_id":{"value":"f-1"},"type":"REVIVE"})");
  EXPECT_EQ(Text(subscription_->OnAnswer(1, net::Response{202, {}, ""}, now_)), "answer 1 202 ");
  EXPECT_EQ(Text(subscription_->OnAnswer(2, net::Response{400, {}, "no"}, now_)),
            "answer 2 400 no");
  EXPECT_EQ(Text(subscription_->OnAnswer(2, net::Response{400, {}, "no"}, now_)), "");
}

TEST_F(SchedulerSubscriptionTest, SpeaksProtobuf) {
  Make({"one:5050"}, Encoding::kProtobuf);
  subscription_->Start();
  const net::Request request = Subscribe("one:5050");
  EXPECT_EQ(request.headers.Get("Accept"), "application/x-protobuf");
  Call call;
  ASSERT_TRUE(call.ParseFromString(request.body));
  EXPECT_EQ(call.subscribe().framework_info().name(), "kiln");
  EXPECT_EQ(Text(subscription_->OnHead(
                200, {{"Content-Type", "application/x-protobuf"}, {"Mesos-Stream-Id", "s"}}, now_)),
            "timer 75s");
  Event event;
  ASSERT_TRUE(FromJson(kSubscribed, event));
  EXPECT_EQ(Record(event.SerializeAsString()), "event SUBSCRIBED; timer 10s");
}

TEST_F(SchedulerSubscriptionTest, ComesBackUnderItsIdWhenTheStreamIsLost) {
  subscription_->Start();
  SubscribeFully();
  Actions actions;
  subscription_->Send(Call(), actions);
  EXPECT_EQ(Text(subscription_->OnClosed({ErrorCode::kUnavailable, "reset", ""}, now_)),
            "close; answer 1 0 the connection was lost; lost: reset; timer <0.5s");
  EXPECT_FALSE(subscription_->Send(Call(), actions));
  EXPECT_EQ(Bytes("stale"), "");
  const net::Request request = Subscribe("one:5050");
  Call call;
  ASSERT_TRUE(FromJson(request.body, call));
  EXPECT_EQ(call.framework_id().value(), "f-1");
  EXPECT_EQ(call.subscribe().framework_info().id().value(), "f-1");
}

TEST_F(SchedulerSubscriptionTest, CallsNameTheNewestStreamAndAreNotSentAgainOnIt) {
  subscription_->Start();
  SubscribeFully();
  Call call;
  call.set_type(Call::REVIVE);
  Actions before;
  ASSERT_TRUE(subscription_->Send(call, before));
  subscription_->OnStreamEnd(now_);
  Actions actions;
  EXPECT_FALSE(subscription_->Send(call, actions));
  Subscribe("one:5050");
  EXPECT_FALSE(subscription_->Send(call, actions));
  EXPECT_EQ(Head(200, "s-2"), "timer 75s");
  EXPECT_FALSE(subscription_->Send(call, actions));
  EXPECT_EQ(Record(kSubscribed), "event SUBSCRIBED; timer 10s");
  EXPECT_EQ(Text(actions), "");
  ASSERT_TRUE(subscription_->Send(call, actions));
  EXPECT_EQ(Text(actions), "call 2");
  EXPECT_EQ(std::get<SendCall>(actions[0]).request.headers.Get("Mesos-Stream-Id"), "s-2");
}

TEST_F(SchedulerSubscriptionTest, TakesTheIdThatItsOwnerGives) {
  subscribe_.mutable_framework_info()->mutable_id()->set_value("kept");
  subscription_->Start();
  Call call;
  ASSERT_TRUE(FromJson(Subscribe("one:5050").body, call));
  EXPECT_EQ(call.framework_id().value(), "kept");
}

TEST_F(SchedulerSubscriptionTest, EndsForGoodAtAnErrorEventAndStartsAnew) {
  subscription_->Start();
  SubscribeFully();
  EXPECT_EQ(Bytes(EncodeRecord(R"({"type":"ERROR","error":{"message":"Framework failed over"}})") +
                  EncodeRecord(R"({"type":"HEARTBEAT"})")),
            "event ERROR; close; final, subscribed: refused by an ERROR event");
  EXPECT_EQ(Text(subscription_->OnTimer(now_)), "");
  EXPECT_EQ(Text(subscription_->Start()), "timer 0s");
  Call call;
  ASSERT_TRUE(FromJson(Subscribe("one:5050").body, call));
  EXPECT_FALSE(call.has_framework_id());
}

TEST_F(SchedulerSubscriptionTest, AnErrorInPlaceOfSubscribedIsARefusalThoughTheStatusIs200) {
  subscription_->Start();
  Subscribe("one:5050");
  EXPECT_EQ(Head(200), "timer 75s");
  EXPECT_EQ(Record(R"({"type":"ERROR","error":{"message":"Not authorized to use roles 'a'"}})"),
            "event ERROR; close; final: refused by an ERROR event");
  EXPECT_EQ(Text(subscription_->OnStreamEnd(now_)), "");
  EXPECT_EQ(Text(subscription_->OnTimer(now_)), "");
}

TEST_F(SchedulerSubscriptionTest, TellsARefusalThatNoNewTryChanges) {
  for (const int status : {400, 401, 403, 405, 406, 415, 501}) {
    Make({"one:5050"});
    subscription_->Start();
    Subscribe("one:5050");
    EXPECT_EQ(Head(status), "");
    EXPECT_EQ(Bytes("no "), "");
    EXPECT_EQ(Bytes("way"), "");
    EXPECT_EQ(Text(subscription_->OnStreamEnd(now_)),
              fmt::format("close; final: subscription refused: {} no way", status));
  }
}

TEST_F(SchedulerSubscriptionTest, TriesTheNextMasterWhenOneIsNotReady) {
  subscription_->Start();
  Subscribe("one:5050");
  Head(404);
  EXPECT_EQ(Text(subscription_->OnStreamEnd(now_)),
            "close; not subscribed: subscription refused: 404 ; timer <0.5s");
  Subscribe("two:5050");
  Head(503);
  EXPECT_THAT(Text(subscription_->OnClosed({}, now_)),
              ::testing::StartsWith("close; not subscribed: subscription refused: 503 ; timer <1"));
  Subscribe("one:5050");
}

TEST_F(SchedulerSubscriptionTest, FollowsAProtocolRelativeRedirectOnce) {
  subscription_->Start();
  for (const auto& [location, target] : std::vector<std::pair<std::string, std::string>>{
           {"//three:5050/api/v1/scheduler", "three:5050"},
           {"http://four:1/x?y", "four:1"},
           {"//five:5051", "five:5051"},
           {"//six:443/mesos/api/v1/scheduler", "six:443/mesos"},
           {"https://seven:5050/api/v1/scheduler", "https://seven:5050"}}) {
    subscription_->OnTimer(now_);
    subscription_->OnConnected(now_);
    EXPECT_EQ(Text(subscription_->OnHead(307, {{"Location", location}}, now_)), "");
    subscription_->OnStreamEnd(now_);
    const Actions actions = subscription_->OnTimer(now_);
    EXPECT_EQ(Text(actions), "connect " + target + "; timer 75s");
    // The leader that was pointed to is not there: back to the masters that are known.
    subscription_->OnClosed({ErrorCode::kUnavailable, "refused", ""}, now_);
  }
  Subscribe("two:5050");
}

TEST_F(SchedulerSubscriptionTest, IsRedirectedFromTlsToTlsAlone) {
  for (const auto& [location, target] : std::vector<std::pair<std::string, std::string>>{
           {"//two:5050/api/v1/scheduler", "https://two:5050"},
           {"https://two:443/mesos/api/v1/scheduler", "https://two:443/mesos"},
           {"http://two:5050/api/v1/scheduler", "https://one:443/mesos"}}) {
    Make({"https://one:443/mesos"});
    subscription_->Start();
    subscription_->OnTimer(now_);
    subscription_->OnConnected(now_);
    subscription_->OnHead(307, {{"Location", location}}, now_);
    subscription_->OnStreamEnd(now_);
    EXPECT_EQ(Text(subscription_->OnTimer(now_)), "connect " + target + "; timer 75s");
  }
}

TEST_F(SchedulerSubscriptionTest, WaitsForItsAuthorizationAndForAnotherWhenThatIsRefused) {
  SchedulerClientOptions options;
  options.masters = {"one:5050"};
  options.encoding = Encoding::kJson;
  options.awaits_authorization = true;
  MakeWith(std::move(options));
  EXPECT_EQ(Text(subscription_->Start()), "timer none");
  EXPECT_THAT(Text(subscription_->SetAuthorization("token=a")), ::testing::StartsWith("timer "));
  subscription_->OnTimer(now_);
  const Actions actions = subscription_->OnConnected(now_);
  EXPECT_EQ(std::get<SendSubscribe>(actions[0]).request.headers.Get("Authorization"), "token=a");
  Head(401);
  const Actions lost = subscription_->OnStreamEnd(now_);
  EXPECT_EQ(Text(lost), "close; not subscribed: subscription refused: 401 ; timer none");
  EXPECT_EQ(std::get<Disconnected>(lost[1]).why.code, ErrorCode::kPermissionDenied);
  EXPECT_THAT(Text(subscription_->SetAuthorization("token=b")), ::testing::StartsWith("timer "));
  Subscribe("one:5050");
}

TEST_F(SchedulerSubscriptionTest, PausesGrowToTheirCapAndStartAgainAfterASubscription) {
  Make({"one:5050"});
  std::vector<double> pauses;
  Actions actions = subscription_->Start();
  for (int i = 0; i < 12; ++i) {
    pauses.push_back(ToSeconds(*std::get<SetTimer>(actions.back()).delay));
    subscription_->OnTimer(now_);
    actions = subscription_->OnClosed({ErrorCode::kUnavailable, "refused", ""}, now_);
  }
  EXPECT_LE(pauses[0], 0.5);
  EXPECT_LE(pauses[1], 0.5);
  for (int i = 2; i < 12; ++i) {
    const double longest = std::min(15.0, 0.5 * (1 << (i - 1)));
    EXPECT_LE(pauses[i], longest) << i;
    EXPECT_GE(pauses[i], longest / 2) << i;
  }
  SubscribeFully();
  actions = subscription_->OnClosed({ErrorCode::kUnavailable, "gone", ""}, now_);
  EXPECT_LE(*std::get<SetTimer>(actions.back()).delay, milliseconds(500));
}

TEST_F(SchedulerSubscriptionTest, GivesUpAStreamThatIsSilentForFiveHeartbeats) {
  subscription_->Start();
  SubscribeFully();
  EXPECT_EQ(Text(subscription_->OnTimer(now_)),
            "close; lost: nothing came for too long; timer <0.5s");
}

TEST_F(SchedulerSubscriptionTest, RefusesAStreamThatItCannotRead) {
  const std::pair<net::Headers, std::string> heads[] = {
      {{{"Content-Type", "application/json"}},
       "Mesos-Stream-Id of the stream: found none, expected 1 to 128 bytes"},
      {{{"Content-Type", "application/json"}, {"Mesos-Stream-Id", std::string(129, 'x')}},
       "Mesos-Stream-Id of the stream: found 129, expected 1 to 128 bytes"},
      {{{"Content-Type", "text/html"}, {"Mesos-Stream-Id", "s"}},
       "content type of the stream: found 'text/html', expected 'application/json'"}};
  for (const auto& [headers, error] : heads) {
    Make({"one:5050"});
    subscription_->Start();
    Subscribe("one:5050");
    EXPECT_EQ(Text(subscription_->OnHead(200, headers, now_)),
              "close; not subscribed: " + error + "; timer <0.5s");
  }
  for (const std::string& bytes : {std::string("x"), EncodeRecord("{"), EncodeRecord("[]"),
                                   EncodeRecord(R"({"type":"OFFERS","offers":1})")}) {
    Make({"one:5050"});
    subscription_->Start();
    SubscribeFully();
    EXPECT_THAT(Bytes(bytes), ::testing::StartsWith("close; lost: ")) << bytes;
  }
}

TEST_F(SchedulerSubscriptionTest, LeavesAMasterThatAnswersACallAsNoLeader) {
  for (const int status : {307, 503}) {
    Make({"one:5050"});
    subscription_->Start();
    SubscribeFully();
    Actions actions;
    subscription_->Send(Call(), actions);
    EXPECT_EQ(
        Text(subscription_->OnAnswer(1, net::Response{status, {{"Location", "//two:5050"}}, ""},
                                     now_)),
        fmt::format("answer 1 {0} ; close; lost: a call was answered {0} ; timer <0.5s", status));
    Subscribe(status == 307 ? "two:5050" : "one:5050");
  }
}

TEST_F(SchedulerSubscriptionTest, FollowsTheDetectedLeader) {
  Make({});
  EXPECT_EQ(Text(subscription_->Start()), "timer none");
  EXPECT_EQ(Text(subscription_->SetMasters({"one:5050"}, "", now_)), "timer 0s");
  SubscribeFully();
  EXPECT_EQ(Text(subscription_->SetMasters({"zero:5050", "one:5050"}, "", now_)), "");
  EXPECT_EQ(Text(subscription_->SetMasters({}, "", now_)),
            "close; lost: no master leads; timer none");
  EXPECT_EQ(Text(subscription_->SetMasters({"two:5050"}, "", now_)), "timer <0.5s");
  SubscribeFully("two:5050");
  EXPECT_EQ(Text(subscription_->SetMasters({"three:5050"}, "", now_)),
            "close; lost: another master leads; timer <0.5s");
  SubscribeFully("three:5050");
}

TEST_F(SchedulerSubscriptionTest, StaysAwayAfterATeardown) {
  subscription_->Start();
  SubscribeFully();
  Call call;
  call.set_type(Call::TEARDOWN);
  Actions actions;
  ASSERT_TRUE(subscription_->Send(call, actions));
  EXPECT_EQ(Text(subscription_->OnAnswer(1, net::Response{202, {}, ""}, now_)), "answer 1 202 ");
  EXPECT_EQ(Text(subscription_->OnStreamEnd(now_)),
            "close; final, subscribed: torn down: the stream ended");
}

}  // namespace
}  // namespace kiln::wire
