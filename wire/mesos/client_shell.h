// Does what a Subscription says, with real connections and a real timer.
#pragma once

#include <deque>
#include <functional>
#include <memory>

#include "wire/mesos/subscription.h"
#include "wire/net/world.h"

namespace kiln::wire {

class ClientShell {
 public:
  struct Callbacks {
    std::function<void(const Deliver&)> on_event;
    std::function<void(const Disconnected&)> on_disconnected;
    std::function<void(const CallAnswer&)> on_answer;
  };
  // The subscription outlives it.
  ClientShell(net::World world, Subscription& subscription, Callbacks callbacks);

  // Actions that a callback causes come after those under way.
  void Perform(Actions actions);
  void Stop();
  Instant Now() const { return world_.Now(); }

 private:
  void Do(Action action);
  void Open(const Connect& where);
  void OpenStream(net::Request request);
  void Send(SendCall call);
  void SetDelay(std::optional<Duration> delay);
  void CloseConnections();

  net::World world_;
  Subscription& subscription_;
  Callbacks callbacks_;
  std::deque<Action> queue_;
  bool busy_ = false;
  std::unique_ptr<net::Connection> stream_;
  std::unique_ptr<net::Connection> calls_;
  int opened_ = 0;      // of the two connections
  std::string prefix_;  // of the paths there
  net::Handle timer_;
};

}  // namespace kiln::wire
