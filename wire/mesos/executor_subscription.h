// The executor client without I/O.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "wire/mesos/executor_client.h"
#include "wire/mesos/subscription.h"

namespace kiln::wire {

class ExecutorSubscription final : public Subscription {
 public:
  using SubscribeSource = std::function<mesos::v1::executor::Call::Subscribe()>;
  ExecutorSubscription(ExecutorEnvironment environment, Encoding encoding,
                       SubscribeSource subscribe, uint64_t seed);

  Result<uint64_t> Send(mesos::v1::executor::Call call, Actions& actions);

 private:
  void OnStart() override;
  std::optional<std::string> Target() override;
  std::string TargetName() const override { return environment_.agent_name; }
  Duration Pause() override;
  std::string SubscribeBody() override;
  Status CheckHead(const net::Headers& headers) override;
  Result<Next> Take(std::string_view record, Actions& actions) override;
  std::optional<Duration> Silence() const override;
  bool Retry(int status, const net::Headers& headers) override;
  bool Misplaced(int status, const net::Headers& headers) override;
  Status OnLost(Instant now) override;

  ExecutorEnvironment environment_;
  SubscribeSource subscribe_;
  std::optional<Instant> lost_;  // since when there is no subscription
  bool shut_down_ = false;       // the SHUTDOWN event has come
};

}  // namespace kiln::wire
