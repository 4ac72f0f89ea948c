#include "wire/mesos/scheduler_subscription.h"

#include <algorithm>
#include <cmath>

namespace kiln::wire {
namespace {

using mesos::v1::scheduler::Call;
using mesos::v1::scheduler::Event;

constexpr std::string_view kPath = "/api/v1/scheduler";
constexpr Duration kHeartbeat = std::chrono::seconds(15);
constexpr int kHeartbeatsMissed = 5;
constexpr size_t kStreamIdLimit = 128;

SubscriptionOptions Common(const SchedulerClientOptions& options) {
  SubscriptionOptions common;
  common.path = kPath;
  common.encoding = options.encoding;
  common.authorization = options.authorization;
  common.silence = kHeartbeatsMissed * kHeartbeat;
  return common;
}

// Where "//host:port/path", "http://host:port/path" or https leads, as masters redirect. From TLS
// nobody is led to where others can read.
std::optional<std::string> BaseOf(std::string_view location, const std::string& from) {
  const size_t slashes = std::min(location.find("//"), location.size());
  const std::string_view scheme = location.substr(0, slashes);
  const bool was_secure = from.starts_with("https:");
  const bool secure = scheme == "https:" || (scheme.empty() && was_secure);
  if ((was_secure && !secure) || (!secure && !scheme.empty() && scheme != "http:")) {
    return std::nullopt;
  }
  location.remove_prefix(std::min(slashes + 2, location.size()));
  const size_t end = std::min(location.find_first_of("/?"), location.size());
  const auto url = net::ParseHostPort(location.substr(0, end));
  if (!url) return std::nullopt;
  std::string_view prefix = location.substr(end);
  prefix.remove_suffix(prefix.ends_with(kPath) ? kPath.size() : prefix.size());
  return (secure ? "https://" : "") + url->Authority() + std::string(prefix);
}

}  // namespace

SchedulerSubscription::SchedulerSubscription(SchedulerClientOptions options,
                                             SubscribeSource subscribe, uint64_t seed)
    : Subscription(Common(options), seed),
      options_(std::move(options)),
      subscribe_(std::move(subscribe)),
      heartbeat_(kHeartbeat) {}

void SchedulerSubscription::OnStart() {
  leader_.clear();
  turn_ = 0;
  failures_ = 0;
  begins_ = true;
  framework_id_.clear();
}

Actions SchedulerSubscription::SetMasters(std::vector<std::string> masters, std::string name,
                                          Instant now) {
  Actions actions;
  const auto before = Target();
  options_.masters = std::move(masters);
  name_ = std::move(name);
  const auto found = std::find(options_.masters.begin(), options_.masters.end(), before);
  if (before && found != options_.masters.end()) {
    turn_ = static_cast<size_t>(found - options_.masters.begin());
    return actions;
  }
  leader_.clear();
  if (InUse()) {
    const char* why = options_.masters.empty() ? "no master leads" : "another master leads";
    Lose(Error{ErrorCode::kUnavailable, why, {}}, now, actions);
  } else if (phase() == Phase::kWaiting) {
    WaitForNextTry(actions);
  }
  turn_ = 0;
  failures_ = 0;
  return actions;
}

Actions SchedulerSubscription::SetAuthorization(std::string authorization) {
  Actions actions;
  const bool waited = !Target();
  SetHeader(std::move(authorization));
  if (waited && phase() == Phase::kWaiting) WaitForNextTry(actions);
  return actions;
}

std::optional<std::string> SchedulerSubscription::Target() {
  if (options_.awaits_authorization && authorization().empty()) return std::nullopt;
  if (!leader_.empty()) return leader_;
  if (options_.masters.empty()) return std::nullopt;
  return options_.masters[turn_ % options_.masters.size()];
}

Duration SchedulerSubscription::Pause() {
  // Pauses keep the frameworks of a master apart that have all lost it in one moment.
  if (begins_) return Duration(0);
  const double first = ToSeconds(options_.first_pause_max);
  if (failures_ <= 1) return FromSeconds(random().Unit() * first);
  const double longest =
      std::min(ToSeconds(options_.pause_max), std::ldexp(first, std::min(failures_ - 1, 30)));
  return FromSeconds(longest * (0.5 + random().Unit() / 2));
}

std::string SchedulerSubscription::SubscribeBody() {
  Call call;
  call.set_type(Call::SUBSCRIBE);
  *call.mutable_subscribe() = subscribe_();
  auto& info = *call.mutable_subscribe()->mutable_framework_info();
  if (!info.has_id() && !framework_id_.empty()) info.mutable_id()->set_value(framework_id_);
  if (info.has_id()) *call.mutable_framework_id() = info.id();
  return Serialize(encoding(), call);
}

Status SchedulerSubscription::CheckHead(const net::Headers& headers) {
  const auto id = headers.Get("Mesos-Stream-Id");
  if (!id || id->size() > kStreamIdLimit) {
    return Fail(ErrorCode::kInvalidArgument,
                "Mesos-Stream-Id of the stream: found {}, expected 1 to {} bytes",
                id ? std::to_string(id->size()) : "none", kStreamIdLimit);
  }
  stream_id_ = *id;
  heartbeat_ = kHeartbeat;
  return {};
}

Result<Subscription::Next> SchedulerSubscription::Take(std::string_view record, Actions& actions) {
  Event event;
  KILN_TRY_OK(Parse(encoding(), record, event));
  if (event.type() == Event::UNKNOWN) return Next::kGoOn;  // of a newer Mesos
  if (event.type() == Event::SUBSCRIBED) {
    framework_id_ = event.subscribed().framework_id().value();
    const double seconds = event.subscribed().heartbeat_interval_seconds();
    if (seconds > 0) heartbeat_ = FromSeconds(std::min(seconds, 3600.0));
    failures_ = 0;
    SetSubscribed(true);
  }
  const bool refused = event.type() == Event::ERROR;
  actions.push_back(Deliver{std::move(event)});
  return refused ? Next::kEnd : Next::kGoOn;
}

std::optional<Duration> SchedulerSubscription::Silence() const {
  return kHeartbeatsMissed * heartbeat_;
}

bool SchedulerSubscription::Retry(int status, const net::Headers& headers) {
  if (status == 307) {
    const auto from = Target();
    const auto target = BaseOf(headers.Get("Location").value_or(""), from.value_or(""));
    redirected_ = target && target != from;
    if (redirected_) leader_ = *target;
    return true;
  }
  if (status == 401 && options_.awaits_authorization) {
    SetHeader("");
    return true;
  }
  // 404: a master that starts has no routes yet. 501 is an answer to what was asked.
  return status == 404 || (status >= 500 && status != 501);
}

bool SchedulerSubscription::Misplaced(int status, const net::Headers& headers) {
  const bool refused = status == 401 && options_.awaits_authorization;
  return (status == 307 || status == 503 || refused) && Retry(status, headers);
}

Status SchedulerSubscription::OnLost(Instant) {
  begins_ = false;
  ++failures_;
  stream_id_.clear();
  if (!std::exchange(redirected_, false)) {
    // Also where a leader was pointed to: its name may be one that only the masters can resolve.
    if (!subscribed()) ++turn_;
    leader_.clear();
  }
  if (std::exchange(tearing_down_, false)) {
    return Fail(ErrorCode::kFailedPrecondition, "torn down");
  }
  return {};
}

Result<uint64_t> SchedulerSubscription::Send(Call call, Actions& actions) {
  if (!subscribed()) {
    return Fail(ErrorCode::kFailedPrecondition, "call {}: not subscribed",
                Call::Type_Name(call.type()));
  }
  call.mutable_framework_id()->set_value(framework_id_);
  tearing_down_ = tearing_down_ || call.type() == Call::TEARDOWN;
  net::Request request = Post(Serialize(encoding(), call));
  request.headers.Set("Mesos-Stream-Id", stream_id_);
  return SendOn(std::move(request), actions);
}

}  // namespace kiln::wire
