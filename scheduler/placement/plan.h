// What placement decides, as values.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "model/ids.h"
#include "model/offer.h"
#include "model/resources.h"
#include "model/task.h"

namespace kiln::scheduler {

// Why something waits. Each is one thing that a user can act on.
enum class Blocker {
  kNoOffers,  // no agent has offered anything yet
  kCpus,
  kRevocable,  // too few revocable cpus: nothing else is missing
  kMem,
  kDisk,
  kPorts,
  kGpus,  // too few, by count or by name
  kGpuModel,
  kGpuMemory,
  kGpuLink,
  kConstraint,
  kGang,          // some members fit, not enough of them
  kTopology,      // some members fit, not enough of them in one domain of the level they require
  kAfter,         // waits for another job or group
  kBackoff,       // a failed member waits before its next attempt
  kRecovering,    // the state is not reconciled with Mesos yet
  kNotConnected,  // no Mesos master
  kLimit,         // its role would have more than it may have
  kNoModel,       // the model it serves or scores with is not registered
  kPreempting,    // others end for it, or it moves for others
  kQuarantine,    // it has room only on an agent or device that is quarantined
  kReserved,      // it has room only in what is kept for a job before it
  kVolume,        // it starts only where its volumes are
};

// "CPUS", "GPU_MODEL" and so on.
const char* BlockerName(Blocker blocker);

struct Launch {
  MemberId member;
  AgentId agent;
  std::vector<OfferId> offers;  // of one agent and one role
  Resources resources;          // named GPUs and ports are chosen here

  bool operator==(const Launch&) const = default;
};

// When something that waits is expected to start.
struct Estimate {
  std::optional<Instant> start;
  std::string words;  // what it rests on, or why there is none

  bool operator==(const Estimate&) const = default;
};

// Why members of a group wait: counts over agents, and a sentence.
struct Refusal {
  std::string job;
  std::string group;
  int members = 0;  // how many wait
  Blocker blocker = Blocker::kNoOffers;
  std::string reason;   // "needs 8 cpus: 3 agents offered, the most free is 4 on agent1"
  std::string nearest;  // "agent7 lacks 2 gpus": the agent on which the next member nearly fits
  std::string held_by;  // "job batch-7 (3 gpus on agent7)": who has what it lacks there
  Estimate estimate;    // of the next member, or of the gang

  bool operator==(const Refusal&) const = default;
};

struct Plan {
  std::vector<Launch> launches;
  std::vector<Refusal> refusals;
  std::vector<OfferId> held;      // kept for a gang that nearly fits
  std::string holder;             // the job of that gang
  std::vector<OfferId> declined;  // of no use

  bool operator==(const Plan&) const = default;
};

}  // namespace kiln::scheduler
