// The scheduler client without I/O.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "wire/mesos/scheduler_client.h"
#include "wire/mesos/subscription.h"

namespace kiln::wire {

class SchedulerSubscription final : public Subscription {
 public:
  using SubscribeSource = std::function<mesos::v1::scheduler::Call::Subscribe()>;
  SchedulerSubscription(SchedulerClientOptions options, SubscribeSource subscribe, uint64_t seed);

  Actions SetMasters(std::vector<std::string> masters, std::string name, Instant now);
  Actions SetAuthorization(std::string authorization);
  Result<uint64_t> Send(mesos::v1::scheduler::Call call, Actions& actions);

 private:
  void OnStart() override;
  std::optional<std::string> Target() override;
  // Of whom a redirect leads to, nothing more is known.
  std::string TargetName() const override { return leader_.empty() ? name_ : ""; }
  Duration Pause() override;
  std::string SubscribeBody() override;
  Status CheckHead(const net::Headers& headers) override;
  Result<Next> Take(std::string_view record, Actions& actions) override;
  std::optional<Duration> Silence() const override;
  bool Retry(int status, const net::Headers& headers) override;
  bool Misplaced(int status, const net::Headers& headers) override;
  Status OnLost(Instant now) override;

  SchedulerClientOptions options_;
  SubscribeSource subscribe_;
  std::string name_;         // of options_.masters
  size_t turn_ = 0;          // of options_.masters
  std::string leader_;       // where a redirect pointed; empty: none did
  bool redirected_ = false;  // the try under way ended with a redirect
  int failures_ = 0;         // since the last SUBSCRIBED
  bool begins_ = true;       // it was not connected since Start
  std::string framework_id_;
  std::string stream_id_;
  Duration heartbeat_;
  bool tearing_down_ = false;
};

}  // namespace kiln::wire
