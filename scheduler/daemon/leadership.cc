#include "scheduler/daemon/leadership.h"

#include "base/log.h"
#include "wire/net/loop.h"
#include "wire/rest/json.h"
#include "wire/zookeeper/session.h"

namespace kiln::scheduler {
namespace {

constexpr Duration kSession = std::chrono::seconds(10);

net::Response JsonResponse(int status, const wire::Json& json) {
  return {status, {{"Content-Type", "application/json"}}, wire::DumpJson(json)};
}

}  // namespace

Leadership::Leadership(std::string url, Callbacks callbacks)
    : url_(std::move(url)),
      callbacks_(std::move(callbacks)),
      leader_(Fail(ErrorCode::kUnavailable, "zookeeper is not asked yet")) {}

Result<std::unique_ptr<Leadership>> Leadership::Open(net::Loop& loop,
                                                     const wire::ZookeeperAddress& state,
                                                     const std::string& url, Callbacks callbacks) {
  wire::ZookeeperAddress group = state;
  group.path += "/schedulers";
  KILN_TRY(const auto session, wire::ZookeeperSession::Open(group, kSession));
  KILN_TRY_OK(session->MakePath());
  auto leadership = std::unique_ptr<Leadership>(new Leadership(url, std::move(callbacks)));
  leadership->watch_ = std::make_unique<wire::LeaderWatch>(
      loop, group,
      [self = leadership.get()](const Result<wire::Leader>& leader) { self->OnLeader(leader); },
      kSession, url);
  return leadership;
}

void Leadership::OnLeader(const Result<wire::Leader>& leader) {
  leader_ = leader;
  const bool own = leader && leader->own;
  if (phase_ == Phase::kStandsBy) {
    if (!own) {
      LogInfo("stands by: {}",
              leader ? leader->content + " leads" : std::string(leader.error().message));
      return;
    }
    LogInfo("leads, as {}", url_);
    phase_ = Phase::kLeads;
    return callbacks_.leads();
  }
  if (phase_ == Phase::kDeposed || own) return;
  phase_ = Phase::kDeposed;
  callbacks_.deposed({ErrorCode::kUnavailable,
                      fmt::format("this scheduler leads no more: {}",
                                  leader ? leader->content + " does" : leader.error().message),
                      {}});
}

net::Response Leadership::Answer(const net::Request& request) const {
  const std::string leader = leader_ ? leader_->content : "";
  if (request.Path() == "/v1/health") {
    return JsonResponse(202, {{"status", "standing by"},
                              {"connected", false},
                              {"recovered", false},
                              {"leader", leader}});
  }
  if (leader.empty()) {
    return net::ErrorResponse(
        {ErrorCode::kUnavailable, "no scheduler leads: " + leader_.error().message, {}});
  }
  net::Response response = net::ErrorResponse(
      {ErrorCode::kUnavailable, "this scheduler stands by: expected a call to " + leader, {}});
  response.status = 307;
  response.headers.Set("Location", leader + request.target);
  return response;
}

}  // namespace kiln::scheduler
