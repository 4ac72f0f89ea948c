// What placement knows of the time to come: what runs, and when that ends.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/time.h"
#include "model/offer.h"
#include "scheduler/placement/running.h"

namespace kiln::scheduler {

// Borrowed by a snapshot, and outlives it.
struct Outlook {
  Instant now;
  const Running* running = nullptr;
  // How long work like that of the group took; nothing: nobody knows.
  std::function<std::optional<Duration>(const Group&)> took;
  // What an agent without an offer in the snapshot has free for a role; null: nothing is known.
  std::function<const Offer*(const AgentId&, const std::string&)> known;
  Duration hold{};       // offers stay in hand for a start that is as near as this
  size_t estimates = 1;  // so many groups of a role are told when they start
  bool details = false;  // refusals name the nearest agent and who holds it
};

struct End {
  Instant at;
  bool bound = false;  // it ends by then at the latest; else about then
};

// When a task ends, as far as anybody knows: serving and services do not.
std::optional<End> EndOf(const RunningTask& running, const Outlook& outlook);
// When a member ends that starts at this time.
std::optional<End> EndOf(const Job& job, const Group& group, Instant start, const Outlook& outlook);

}  // namespace kiln::scheduler
