// An executor's connection to the agent that started it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "wire/mesos/client.h"
#include "wire/mesos/json.h"
#include "wire/net/world.h"

namespace mesos::v1::executor {
class Call;
class Call_Subscribe;
class Event;
}  // namespace mesos::v1::executor

namespace kiln::wire {

// What an agent tells an executor through its environment.
struct ExecutorEnvironment {
  std::string framework_id;
  std::string executor_id;
  std::string agent_id;
  std::string agent_endpoint;  // host:port, or https://host:port where the agent speaks TLS
  std::string sandbox;         // as the executor sees it
  bool checkpoint = false;     // the executor outlives a restart of its agent
  Duration recovery_timeout = std::chrono::minutes(15);
  Duration subscription_backoff_max = std::chrono::seconds(2);
  Duration shutdown_grace_period = std::chrono::seconds(5);
  std::string authentication_token;  // to be kept from the tasks
  net::TlsClientOptions tls;         // for an endpoint of https
  std::string agent_name;            // whom its certificate may be for, beside the address

  bool operator==(const ExecutorEnvironment&) const = default;
};

using EnvironmentLookup = std::function<std::optional<std::string>(const std::string& name)>;
// Of the MESOS_* variables.
Result<ExecutorEnvironment> ReadExecutorEnvironment(const EnvironmentLookup& lookup);
// As Mesos prints durations: "15mins", "2secs", "1.5hrs"; units ns, us, ms, secs, mins, hrs, days,
// weeks.
Result<Duration> ParseMesosDuration(std::string_view text);

struct ExecutorClientCallbacks {
  // All launched tasks without an acknowledged update, and all updates without acknowledgement;
  // asked at each try.
  std::function<mesos::v1::executor::Call_Subscribe()> subscribe;
  // Every event in its order. An ERROR is followed by a final on_disconnected.
  std::function<void(const mesos::v1::executor::Event&)> on_event;
  // Final: the executor has to shut down.
  std::function<void(const Disconnected&)> on_disconnected;
  // Each call is answered once; 503 while a restarted agent recovers: send it again. May be left
  // out.
  std::function<void(const CallAnswer&)> on_answer;
};

// Keeps two connections to the agent: one streams events, the other carries all calls in their
// order. When the agent is lost, a checkpointing executor tries again after random pauses of at
// most subscription_backoff_max, until recovery_timeout has passed; another one ends (final). So
// does one that the agent has told to shut down, or refuses.
//
// Threads: the agenda's alone; so do callbacks come. The world outlives it. Not to be destroyed
// inside a callback; Stop may be called there.
class ExecutorClient {
 public:
  ExecutorClient(net::World world, ExecutorEnvironment environment, Encoding encoding,
                 ExecutorClientCallbacks callbacks);
  ~ExecutorClient();

  void Start();
  void Stop();
  // Sends a call; the ids are filled in. Gives the number that on_answer tells.
  // kFailedPrecondition while not subscribed: it is not kept for later.
  Result<uint64_t> Call(mesos::v1::executor::Call call);

 private:
  class Shell;
  std::unique_ptr<Shell> shell_;
};

}  // namespace kiln::wire
