#include "scheduler/daemon/dcos_login.h"

#include <algorithm>

#include "base/log.h"
#include "wire/net/http.h"

namespace kiln::scheduler {
namespace {

constexpr Duration kTimeout = std::chrono::seconds(30);

Result<Grant> Read(const Result<net::Response>& answer) {
  if (!answer) return Failure(answer.error());
  if (answer->status == 200) return ParseGrant(answer->body);
  return Fail(ErrorCode::kPermissionDenied, "answered {} {}: expected a token", answer->status,
              answer->body.substr(0, 200));
}

}  // namespace

DcosLogin::DcosLogin(net::World world, ServiceAccount account, Callbacks callbacks)
    : world_(std::move(world)), account_(std::move(account)), callbacks_(std::move(callbacks)) {}

void DcosLogin::Start() {
  if (!connection_ && !timer_) LogIn();
}

void DcosLogin::Refused() {
  if (connection_) return;
  plan_.OnRefused(world_.Now());
  SetTimer();
}

void DcosLogin::SetTimer() {
  const Duration wait = std::max<Duration>(plan_.next() - world_.Now(), Duration::zero());
  timer_ = world_.agenda.After(wait, [this] { LogIn(); });
}

void DcosLogin::LogIn() {
  timer_.Reset();
  auto body = LoginBody(account_, world_.Now());
  // Checked when the account was read.
  if (!body) return OnAnswer(Failure(body.error()));
  const net::Url url = *net::ParseUrl(account_.endpoint);
  connection_ = world_.connect(url, {});
  connection_->Send(
      {"POST", url.target, {{"Content-Type", "application/json"}}, *std::move(body), {}},
      [this](const Result<net::Response>& answer) { OnAnswer(answer); }, kTimeout);
}

void DcosLogin::OnAnswer(const Result<net::Response>& answer) {
  // The connection calls: it goes away later.
  world_.agenda.Post([gone = std::shared_ptr<net::Connection>(std::move(connection_))] {});
  const auto grant = Read(answer);
  const Instant now = world_.Now();
  if (grant) {
    plan_.OnGrant(now, grant->expires);
    LogInfo("logged in as {} at {}", account_.uid, account_.endpoint);
  } else {
    plan_.OnFailure(now);
  }
  SetTimer();
  if (grant) return callbacks_.granted("token=" + grant->token);
  const Error why = Within("login of " + account_.uid + " at " + account_.endpoint, grant.error());
  LogWarning("{}", why.message);
  callbacks_.failed(why);
}

}  // namespace kiln::scheduler
