#include "wire/mesos/subscription.h"

#include <algorithm>

namespace kiln::wire {
namespace {

constexpr size_t kTextLimit = 64 << 10;

}  // namespace

Subscription::Subscription(SubscriptionOptions options, uint64_t seed)
    : options_(std::move(options)), random_(seed) {}

Actions Subscription::Start() {
  Actions actions;
  if (phase_ != Phase::kIdle) return actions;
  OnStart();
  WaitForNextTry(actions);
  return actions;
}

Actions Subscription::Stop() {
  Actions actions;
  if (phase_ != Phase::kIdle) {
    End(Error{ErrorCode::kFailedPrecondition, "the client was stopped", {}}, actions);
  }
  return actions;
}

Actions Subscription::OnConnected(Instant) {
  Actions actions;
  if (phase_ != Phase::kConnecting) return actions;
  phase_ = Phase::kOpening;
  actions.push_back(SendSubscribe{Post(SubscribeBody())});
  actions.push_back(SetTimer{options_.silence});
  return actions;
}

Actions Subscription::OnHead(int status, const net::Headers& headers, Instant now) {
  Actions actions;
  if (phase_ != Phase::kOpening) return actions;
  if (status != 200) {
    phase_ = Phase::kRefused;
    refusal_ = {status, headers, {}};
    return actions;
  }
  const auto type = headers.Get("Content-Type").value_or("");
  Status good = CheckHead(headers);
  if (good && EncodingOf(type) != encoding()) {
    good =
        Fail(ErrorCode::kInvalidArgument, "content type of the stream: found '{}', expected '{}'",
             type, MediaType(encoding()));
  }
  if (!good) {
    Lose(good.error(), now, actions);
    return actions;
  }
  phase_ = Phase::kOpen;
  decoder_ = RecordDecoder(options_.record_limit);
  actions.push_back(SetTimer{Silence()});
  return actions;
}

Actions Subscription::OnBytes(std::string_view bytes, Instant now) {
  Actions actions;
  if (phase_ == Phase::kRefused) {
    refusal_.body += bytes.substr(0, kTextLimit - std::min(kTextLimit, refusal_.body.size()));
    return actions;
  }
  if (phase_ != Phase::kOpen) return actions;
  const auto records = decoder_.Feed(bytes);
  if (!records) {
    Lose(records.error(), now, actions);
    return actions;
  }
  for (const std::string& record : *records) {
    const auto next = Take(record, actions);
    if (!next) {
      Lose(next.error(), now, actions);
      return actions;
    }
    if (*next == Next::kEnd) {
      End(Error{ErrorCode::kFailedPrecondition, "refused by an ERROR event", {}}, actions);
      return actions;
    }
  }
  if (Silence()) actions.push_back(SetTimer{Silence()});
  return actions;
}

Actions Subscription::OnStreamEnd(Instant now) {
  Actions actions;
  if (phase_ == Phase::kRefused) {
    Refused(now, actions);
  } else if (phase_ == Phase::kOpen) {
    Lose(Error{ErrorCode::kUnavailable, "the stream ended", {}}, now, actions);
  }
  return actions;
}

Actions Subscription::OnClosed(const Error& why, Instant now) {
  Actions actions;
  if (phase_ == Phase::kRefused) {
    Refused(now, actions);
  } else if (InUse()) {
    Lose(why, now, actions);
  }
  return actions;
}

Actions Subscription::OnAnswer(uint64_t call, const Result<net::Response>& answer, Instant now) {
  Actions actions;
  if (open_calls_.erase(call) == 0) return actions;
  if (!answer) {
    actions.push_back(CallAnswer{call, 0, answer.error().message});
    return actions;  // the connection's end comes with it
  }
  CallAnswer told{call, answer->status, answer->body};
  const bool lost = Misplaced(answer->status, answer->headers);
  const Error why{answer->status == 401 ? ErrorCode::kPermissionDenied : ErrorCode::kUnavailable,
                  fmt::format("a call was answered {} {}", told.status, told.text),
                  {}};
  actions.push_back(std::move(told));
  if (lost) Lose(why, now, actions);
  return actions;
}

Actions Subscription::OnTimer(Instant now) {
  Actions actions;
  if (phase_ == Phase::kWaiting) {
    const auto target = Target();
    if (!target) return actions;
    phase_ = Phase::kConnecting;
    actions.push_back(Connect{*target, TargetName()});
    actions.push_back(SetTimer{options_.silence});
  } else if (InUse()) {
    Lose(Error{ErrorCode::kDeadlineExceeded, "nothing came for too long", {}}, now, actions);
  }
  return actions;
}

void Subscription::Refused(Instant now, Actions& actions) {
  const Error why{
      refusal_.status == 401 ? ErrorCode::kPermissionDenied : ErrorCode::kFailedPrecondition,
      fmt::format("subscription refused: {} {}", refusal_.status, refusal_.body),
      {}};
  if (Retry(refusal_.status, refusal_.headers)) {
    Lose(why, now, actions);
  } else {
    End(why, actions);
  }
}

void Subscription::Lose(Error why, Instant now, Actions& actions) {
  if (const Status more = OnLost(now); !more) {
    End(Within(more.error().message, std::move(why)), actions);
    return;
  }
  Drop(std::move(why), false, actions);
  WaitForNextTry(actions);
}

void Subscription::End(Error why, Actions& actions) {
  Drop(std::move(why), true, actions);
  phase_ = Phase::kIdle;
}

void Subscription::Drop(Error why, bool final, Actions& actions) {
  actions.push_back(CloseBoth{});
  for (const uint64_t call : std::exchange(open_calls_, {})) {
    actions.push_back(CallAnswer{call, 0, "the connection was lost"});
  }
  actions.push_back(Disconnected{std::move(why), std::exchange(subscribed_, false), final});
}

void Subscription::WaitForNextTry(Actions& actions) {
  phase_ = Phase::kWaiting;
  actions.push_back(SetTimer{Target() ? std::optional(Pause()) : std::nullopt});
}

net::Request Subscription::Post(std::string body) const {
  net::Request request;
  request.method = "POST";
  request.target = options_.path;
  // Accept names one type alone: a master that may choose takes JSON.
  request.headers = {{"Content-Type", MediaType(encoding())}, {"Accept", MediaType(encoding())}};
  if (!options_.authorization.empty()) {
    request.headers.Set("Authorization", options_.authorization);
  }
  request.body = std::move(body);
  return request;
}

Result<uint64_t> Subscription::SendOn(net::Request request, Actions& actions) {
  if (phase_ != Phase::kOpen || !subscribed_) {
    return Fail(ErrorCode::kFailedPrecondition, "a call came while not subscribed");
  }
  open_calls_.insert(++last_call_);
  actions.push_back(SendCall{last_call_, std::move(request)});
  return last_call_;
}

}  // namespace kiln::wire
