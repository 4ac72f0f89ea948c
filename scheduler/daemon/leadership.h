// Of several schedulers with one state in ZooKeeper one leads, and the others stand by.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "wire/net/lifeline.h"
#include "wire/zookeeper/leader.h"

namespace kiln::scheduler {

// What a scheduler says of itself where it stands for leadership.
struct Seat {
  std::string url;       // of its API
  std::string name;      // of its process alone
  std::string lifeline;  // host:port; empty in what an older program wrote

  bool operator==(const Seat&) const = default;
};
std::string FormatSeat(const Seat& seat);
Seat ParseSeat(const std::string& text);

// Those that stand by hold the lifeline of who leads. When that process has died they say so to
// ZooKeeper, which otherwise waits for the end of its session. That is a matter of speed alone: who
// is held for dead by mistake is deposed, and cannot write from the moment on in which the next one
// has loaded the state.
//
// Threads: the loop's alone. Owner: main; the loop outlives it.
class Leadership {
 public:
  struct Callbacks {
    std::function<void()> leads;                    // at most once
    std::function<void(const Error& why)> deposed;  // after that, at most once: it may act no more
  };

  // `url` is where the API of this scheduler is reached, for those that stand by, and `host` where
  // they reach this process itself: it listens there, at a port of its own. Errors are those of a
  // ZookeeperSession and of a Listener.
  static Result<std::unique_ptr<Leadership>> Open(net::Loop& loop,
                                                  const wire::ZookeeperAddress& state,
                                                  const std::string& url, const std::string& host,
                                                  Callbacks callbacks);

  // The node by which it leads, below the state's; empty before.
  const std::string& seat() const { return seat_; }
  // Where the API of who leads is, or why nobody is known to.
  Result<std::string> LeaderUrl() const;

 private:
  Leadership(net::Loop& loop, Seat own, std::unique_ptr<net::Lifeline> lifeline,
             Callbacks callbacks);
  void OnLeader(const Result<wire::Leader>& leader);
  void Hold(const wire::Leader& leader);

  net::Loop& loop_;
  const Seat own_;
  const std::unique_ptr<net::Lifeline> lifeline_;
  const Callbacks callbacks_;
  Result<Seat> leader_;
  enum class Phase { kStandsBy, kLeads, kDeposed } phase_ = Phase::kStandsBy;
  std::string seat_;
  std::string held_;  // the node of the leader whose line is held
  std::unique_ptr<net::LifelineWatch> line_;
  std::unique_ptr<wire::LeaderWatch> watch_;
};

}  // namespace kiln::scheduler
