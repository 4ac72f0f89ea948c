#include "scheduler/daemon/leadership.h"

#include <sstream>

#include "base/log.h"
#include "base/random.h"
#include "scheduler/daemon/hostname.h"
#include "wire/net/loop.h"
#include "wire/zookeeper/session.h"

namespace kiln::scheduler {
namespace {

// Of a machine that is gone, or cut off, nothing else tells. ZooKeeper's servers have a least of
// two of their ticks, 4 s as they come.
constexpr Duration kSession = std::chrono::seconds(5);
constexpr const char* kFolder = "schedulers";

}  // namespace

std::string FormatSeat(const Seat& seat) {
  return fmt::format("{} {} {}", seat.url, seat.name, seat.lifeline);
}

Seat ParseSeat(const std::string& text) {
  Seat seat;
  std::istringstream(text) >> seat.url >> seat.name >> seat.lifeline;
  return seat;
}

Leadership::Leadership(net::Loop& loop, Seat own, std::unique_ptr<net::Lifeline> lifeline,
                       Callbacks callbacks)
    : loop_(loop),
      own_(std::move(own)),
      lifeline_(std::move(lifeline)),
      callbacks_(std::move(callbacks)),
      leader_(Fail(ErrorCode::kUnavailable, "zookeeper is not asked yet")) {}

Result<std::unique_ptr<Leadership>> Leadership::Open(net::Loop& loop,
                                                     const wire::ZookeeperAddress& state,
                                                     const std::string& url,
                                                     const std::string& host, Callbacks callbacks) {
  wire::ZookeeperAddress group = state;
  group.path += std::string("/") + kFolder;
  KILN_TRY(const auto session, wire::ZookeeperSession::Open(group));
  KILN_TRY_OK(session->MakePath());
  KILN_TRY(net::Listener listener, net::Listener::Open(host, 0));
  Seat own{url, fmt::format("{:016x}", RandomSeed()), ""};
  auto lifeline = net::Lifeline::Open(loop, std::move(listener), own.name);
  own.lifeline = net::Url{ReachableHost(host), lifeline->port()}.Authority();
  auto leadership = std::unique_ptr<Leadership>(
      new Leadership(loop, own, std::move(lifeline), std::move(callbacks)));
  leadership->watch_ = std::make_unique<wire::LeaderWatch>(
      loop, group,
      [self = leadership.get()](const Result<wire::Leader>& leader) { self->OnLeader(leader); },
      kSession, FormatSeat(own));
  return leadership;
}

void Leadership::OnLeader(const Result<wire::Leader>& leader) {
  leader_ = leader ? Result<Seat>(ParseSeat(leader->content)) : Failure(leader.error());
  const bool own = leader && leader->own;
  if (phase_ == Phase::kStandsBy) {
    if (!own) {
      LogInfo("stands by: {}",
              leader ? leader_->url + " leads" : std::string(leader.error().message));
      if (leader) Hold(*leader);
      return;
    }
    LogInfo("leads, as {}", own_.url);
    phase_ = Phase::kLeads;
    seat_ = fmt::format("{}/{}", kFolder, leader->node);
    line_.reset();
    return callbacks_.leads();
  }
  if (phase_ == Phase::kDeposed || own) return;
  phase_ = Phase::kDeposed;
  callbacks_.deposed({ErrorCode::kUnavailable,
                      fmt::format("this scheduler leads no more: {}",
                                  leader ? leader_->url + " does" : leader.error().message),
                      {}});
}

void Leadership::Hold(const wire::Leader& leader) {
  if (held_ == leader.node) return;
  held_ = leader.node;
  line_.reset();
  const auto address = net::ParseHostPort(leader_->lifeline);
  if (!address) return;
  line_ = net::LifelineWatch::Open(loop_, *address, leader_->name, [this, url = leader_->url] {
    LogWarning("{} has died: takes it out", url);
    watch_->Expel(held_);
  });
}

Result<std::string> Leadership::LeaderUrl() const {
  if (!leader_) return Failure(leader_.error());
  return leader_->url;
}

}  // namespace kiln::scheduler
