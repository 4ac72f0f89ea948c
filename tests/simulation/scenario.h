// What happens in one simulation, as values: the cluster, what users do, and what fails when.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "model/job.h"
#include "model/role.h"

namespace kiln::simulation {

enum class FaultKind {
  kCutScheduler,      // connections between scheduler and master break
  kDivideScheduler,   // nothing gets through between them for a while
  kCutAgent,          // the link between master and agent breaks
  kDivideAgent,       // nothing gets through between them for a while
  kKillScheduler,     // at any moment
  kKillBeforeCommit,  // the next commit does not happen
  kKillAfterCommit,   // the next commit happens, nothing behind it does
  kKillBetweenCalls,  // after some of the calls behind the next commit
  kRefuseCommit,      // the next commits fail
  kDoubtCommit,       // the next commit happens, but the store says that it failed
  kKillExecutors,     // of an agent
  kRestartAgent,      // its executors live on
  kLoseMachine,       // the agent with all that runs there; it comes back
  kReplaceMachine,    // the same, and comes back as a new agent
  kLeave,             // the agent ends in order, and comes back as a new one
  kMarkGone,          // an operator gives the agent up
  kKillMaster,        // another one leads, with the same registry
  kRescind,           // all offers are taken back
  kRepeatUpdates,     // agents say again what is not acknowledged
  kSlowStarts,        // containers and work take long to start for a while
  kSlowNetwork,       // pieces take long for a while
  kClockJump,         // of the scheduler's machine
  kSickGpus,          // work on devices of the agent tells that they are sick
  kTakeOver,          // another scheduler takes the state over, and who had it does not know yet
  kTakeBack,          // the agent ends what runs on revocable cpus
};
inline constexpr int kFaultKinds = 25;
const char* FaultKindName(FaultKind kind);

struct Fault {
  Duration at{};
  FaultKind kind = FaultKind::kCutScheduler;
  size_t agent = 0;
  Duration length{};
};

struct Load {
  Job job;
  Duration submitted{};
  std::optional<Duration> killed;      // by its user
  std::vector<Duration> tasks_killed;  // one at each of these
  Duration work_min{}, work_max{};
  double fails = 0;  // the part of its attempts
};

struct MachineSpec {
  std::string resources;  // as the flag of an agent says them
  std::string attributes;
};

struct Scenario {
  uint64_t seed = 0;
  std::vector<std::string> roles = {"*"};  // of the framework
  RoleSettings sharing;
  std::vector<MachineSpec> machines;
  std::vector<Load> loads;
  Load last;  // submitted when all others have ended
  std::vector<Fault> faults;
  Duration healed{};  // when everything works again
  Duration ping_timeout = std::chrono::seconds(15);
  Duration unreachable_wait = std::chrono::minutes(1);
  Duration min_run = std::chrono::minutes(1);
};

// `only`: the faults that may happen; empty: all.
Scenario MakeScenario(uint64_t seed, const std::vector<FaultKind>& only = {});
// A line for each part of it.
std::string ToText(const Scenario& scenario);

}  // namespace kiln::simulation
