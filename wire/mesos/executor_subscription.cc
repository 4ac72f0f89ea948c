#include "wire/mesos/executor_subscription.h"

namespace kiln::wire {
namespace {

using mesos::v1::executor::Call;
using mesos::v1::executor::Event;

SubscriptionOptions Common(const ExecutorEnvironment& environment, Encoding encoding) {
  SubscriptionOptions common;
  common.path = "/api/v1/executor";
  common.encoding = encoding;
  if (!environment.authentication_token.empty()) {
    common.authorization = "Bearer " + environment.authentication_token;
  }
  return common;
}

}  // namespace

ExecutorSubscription::ExecutorSubscription(ExecutorEnvironment environment, Encoding encoding,
                                           SubscribeSource subscribe, uint64_t seed)
    : Subscription(Common(environment, encoding), seed),
      environment_(std::move(environment)),
      subscribe_(std::move(subscribe)) {}

void ExecutorSubscription::OnStart() {
  lost_.reset();
  shut_down_ = false;
}

std::optional<std::string> ExecutorSubscription::Target() { return environment_.agent_endpoint; }

Duration ExecutorSubscription::Pause() {
  // Never longer: the agent kills executors that are not back within this time of its recovery.
  if (!lost_) return Duration::zero();
  return FromSeconds(random().Unit() * ToSeconds(environment_.subscription_backoff_max));
}

std::string ExecutorSubscription::SubscribeBody() {
  Call call;
  call.mutable_executor_id()->set_value(environment_.executor_id);
  call.mutable_framework_id()->set_value(environment_.framework_id);
  call.set_type(Call::SUBSCRIBE);
  *call.mutable_subscribe() = subscribe_();
  return Serialize(encoding(), call);
}

Status ExecutorSubscription::CheckHead(const net::Headers&) { return {}; }

Result<Subscription::Next> ExecutorSubscription::Take(std::string_view record, Actions& actions) {
  Event event;
  KILN_TRY_OK(Parse(encoding(), record, event));
  if (event.type() == Event::UNKNOWN) return Next::kGoOn;  // of a newer Mesos
  if (event.type() == Event::SUBSCRIBED) {
    lost_.reset();
    SetSubscribed(true);
  }
  shut_down_ = shut_down_ || event.type() == Event::SHUTDOWN;
  const bool refused = event.type() == Event::ERROR;
  actions.push_back(Deliver{std::move(event)});
  return refused ? Next::kEnd : Next::kGoOn;
}

// The agent's heartbeats are half an hour apart: the connection itself tells of its end.
std::optional<Duration> ExecutorSubscription::Silence() const { return std::nullopt; }

bool ExecutorSubscription::Retry(int status, const net::Headers&) {
  return status == 404 || (status >= 500 && status != 501);
}

// An agent that recovers takes a subscription, and answers calls with 503 until it is done.
bool ExecutorSubscription::Misplaced(int, const net::Headers&) { return false; }

Status ExecutorSubscription::OnLost(Instant now) {
  if (shut_down_) return Fail(ErrorCode::kFailedPrecondition, "shut down by the agent");
  if (!environment_.checkpoint) {
    return Fail(ErrorCode::kUnavailable, "agent lost, and the framework does not checkpoint");
  }
  if (!lost_) lost_ = now;
  if (now - *lost_ >= environment_.recovery_timeout) {
    return Fail(ErrorCode::kDeadlineExceeded, "agent not back after {} s",
                ToSeconds(environment_.recovery_timeout));
  }
  return {};
}

Result<uint64_t> ExecutorSubscription::Send(Call call, Actions& actions) {
  call.mutable_executor_id()->set_value(environment_.executor_id);
  call.mutable_framework_id()->set_value(environment_.framework_id);
  return SendOn(Post(Serialize(encoding(), call)), actions);
}

}  // namespace kiln::wire
