// Of several schedulers with one state in ZooKeeper one leads, and the others stand by.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "wire/net/server.h"
#include "wire/zookeeper/leader.h"

namespace kiln::scheduler {

// Threads: the loop's alone. Owner: main; the loop outlives it.
class Leadership {
 public:
  struct Callbacks {
    std::function<void()> leads;                    // at most once
    std::function<void(const Error& why)> deposed;  // after that, at most once: it may act no more
  };

  // `url` is where this scheduler is reached, for those that stand by. Errors are those of a
  // ZookeeperSession.
  static Result<std::unique_ptr<Leadership>> Open(net::Loop& loop,
                                                  const wire::ZookeeperAddress& state,
                                                  const std::string& url, Callbacks callbacks);

  // What is answered while it stands by: where the leader is.
  net::Response Answer(const net::Request& request) const;

 private:
  Leadership(std::string url, Callbacks callbacks);
  void OnLeader(const Result<wire::Leader>& leader);

  const std::string url_;
  const Callbacks callbacks_;
  Result<wire::Leader> leader_;
  enum class Phase { kStandsBy, kLeads, kDeposed } phase_ = Phase::kStandsBy;
  std::unique_ptr<wire::LeaderWatch> watch_;
};

}  // namespace kiln::scheduler
