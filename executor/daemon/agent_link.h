// The executor's side of its agent: the protocol on real streams.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "executor/protocol/protocol.h"
#include "wire/mesos/executor_client.h"
#include "wire/net/world.h"

namespace kiln::executor {

// What comes from the agent goes into the protocol, and its updates go to the agent; what is to be
// done with tasks goes to the owner.
// Threads: the agenda's alone. The world outlives it. It may be destroyed inside `exit`.
class AgentLink {
 public:
  struct Callbacks {
    std::function<void(const StartWork&)> start;
    std::function<void(const StopWork&)> stop;
    std::function<void(const Exit&)> exit;
  };
  AgentLink(net::World world, wire::ExecutorEnvironment environment, Callbacks callbacks);
  ~AgentLink();

  void Start() { client_->Start(); }
  void Stop() { client_->Stop(); }
  // What the work tells, or a shutdown.
  void Feed(const Input& input);
  // From here on the executor leaves when it has no task any more.
  void LeaveWhenDone() { protocol_.LeaveWhenDone(); }

 private:
  void OnEvent(const mesos::v1::executor::Event& event);
  void OnAnswer(const wire::CallAnswer& answer);
  mesos::v1::executor::Call_Subscribe SubscribeCall();
  void Perform(const SendUpdate& effect);
  void Perform(const StartWork& effect) { callbacks_.start(effect); }
  void Perform(const StopWork& effect) { callbacks_.stop(effect); }
  void Perform(const Exit& effect) { callbacks_.exit(effect); }
  void SetTimer();
  void StartTimer();

  net::World world_;
  Callbacks callbacks_;
  Protocol protocol_;
  net::Handle timer_;
  std::optional<Instant> timer_at_;
  bool timer_wanted_ = false;
  std::map<uint64_t, std::string> calls_;  // updates that wait for their answer: task
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::unique_ptr<wire::ExecutorClient> client_;
};

}  // namespace kiln::executor
