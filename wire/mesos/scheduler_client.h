// A framework's connection to the Mesos master that leads.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "wire/mesos/client.h"
#include "wire/mesos/json.h"
#include "wire/net/world.h"

namespace mesos::v1::scheduler {
class Call;
class Call_Subscribe;
class Event;
}  // namespace mesos::v1::scheduler

namespace kiln::wire {

struct SchedulerClientOptions {
  // "host:port", or "https://host:port/prefix"; tried in turn; may be empty until SetMasters.
  std::vector<std::string> masters;
  Encoding encoding = Encoding::kProtobuf;
  std::string authorization;  // value of the header ("Basic ..."); empty: none
  // There is none before SetAuthorization, and nothing is tried without; one that is refused (401)
  // is dropped, and the next one is waited for.
  bool awaits_authorization = false;
  // Before the first try after a loss, at random.
  Duration first_pause_max = std::chrono::milliseconds(500);
  Duration pause_max = std::chrono::seconds(15);  // the pauses double up to this
};

struct SchedulerClientCallbacks {
  // What to subscribe as, asked at each try: with framework_info.id once there is one, and with the
  // roles that are suppressed then. An id that SUBSCRIBED brought is filled in where it lacks.
  std::function<mesos::v1::scheduler::Call_Subscribe()> subscribe;
  // Every event in its order, heartbeats too. At SUBSCRIBED all offers from before are void. An
  // ERROR is followed by a final on_disconnected.
  std::function<void(const mesos::v1::scheduler::Event&)> on_event;
  std::function<void(const Disconnected&)> on_disconnected;
  // Each call is answered once. May be left out.
  std::function<void(const CallAnswer&)> on_answer;
};

// Keeps two connections to the leading master: one streams the events of the subscription, the
// other carries all calls in their order. Follows redirects, tries again with growing random pauses
// when it is sent away or hears nothing for five heartbeats, and gives up (final) on what a new try
// does not change: ERROR events and refusals such as 401.
//
// Threads: the agenda's alone; so do callbacks come. The world outlives it. Not to be destroyed
// inside a callback; Stop may be called there.
class SchedulerClient {
 public:
  SchedulerClient(net::World world, SchedulerClientOptions options,
                  SchedulerClientCallbacks callbacks);
  ~SchedulerClient();

  // Subscribes, and stays subscribed until Stop or a final on_disconnected. Starts with no
  // framework id but the one that `subscribe` gives.
  void Start();
  void Stop();
  // The masters that are known now: the leader, where it is detected; none while there is none.
  // Their certificates may be for this name, where they are addresses.
  void SetMasters(std::vector<std::string> masters, std::string name = "");
  // For what is sent from here on.
  void SetAuthorization(std::string authorization);

  // Sends a call; framework_id is filled in. Gives the number that on_answer tells.
  // kFailedPrecondition while not subscribed: it is not kept for later. After a TEARDOWN the end of
  // the stream is final.
  Result<uint64_t> Call(mesos::v1::scheduler::Call call);

 private:
  class Shell;
  std::unique_ptr<Shell> shell_;
};

}  // namespace kiln::wire
