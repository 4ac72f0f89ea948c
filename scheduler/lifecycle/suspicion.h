// What is held against an agent or a device that fails work.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/time.h"
#include "model/ids.h"

namespace kiln::scheduler {

// An agent, or one device of it.
struct Suspect {
  AgentId agent;
  GpuId gpu;  // empty: the agent itself

  auto operator<=>(const Suspect&) const = default;
};

enum class Standing {
  kHealthy,
  kQuarantined,  // gets no work
  kProbation,    // gets one small piece of work at a time
};

// "HEALTHY", "QUARANTINED", "PROBATION".
const char* StandingName(Standing standing);

// The failures of one piece of work, whichever jobs it came with.
struct Strike {
  uint64_t work = 0;  // alike jobs do alike work
  std::string job;    // the last one
  int failures = 0;
  int weight = 0;  // of the gravest
  Instant last;

  bool operator==(const Strike&) const = default;
};

struct Suspicion {
  std::string hostname;
  Standing standing = Standing::kHealthy;
  std::vector<Strike> strikes;  // the oldest first
  int times = 0;                // quarantined without a good end since
  Instant since;                // of the standing, or of the time without a probe
  Instant until;                // zero: of a quarantine that somebody has to lift
  std::string reason;           // of an operator or a report; empty: the strikes
  TaskId probe;                 // on probation, the work that tries it; empty: none does

  bool operator==(const Suspicion&) const = default;
};

// "agent h1 is quarantined until 2025-01-31T12:00:00Z after 4 failures of 3 jobs".
std::string ToText(const Suspect& suspect, const Suspicion& suspicion);

}  // namespace kiln::scheduler
