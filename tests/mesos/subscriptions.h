// What the recordings say of one client: a subscription, the events it got, and the calls it made,
// in their order. Pure.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "tests/mesos/bindings.h"
#include "tests/mesos/messages.h"
#include "tests/mesos/scenario.h"

namespace kiln::replay {

struct RecordedSubscription {
  std::string name;  // "04-command-finished, A"
  Api api{};
  Exchange subscribe;
  std::vector<std::variant<Event, Exchange>> items;  // its events and its calls
};

// Of kScheduler or kExecutor: every SUBSCRIBE that was sent as a client sends it, whatever its
// answer; calls that carry its stream id, or the executor's ids. Placeholders are filled in with
// values of this function's own making.
std::vector<RecordedSubscription> SubscriptionsOf(const Scenario& scenario, Api api);

}  // namespace kiln::replay
