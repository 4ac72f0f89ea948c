#include "scheduler/lifecycle/charge.h"

#include <set>

namespace kiln::scheduler {
namespace {

// TASK_FAILED with these reasons is no failure of the work.
bool ByTheCluster(const std::string& reason) {
  static const auto* const reasons = new std::set<std::string>{
      "AGENT_DISCONNECTED",
      "AGENT_DRAINING",
      "AGENT_REMOVED",
      "AGENT_REMOVED_BY_OPERATOR",
      "AGENT_RESTARTED",
      "AGENT_UNKNOWN",
      "CONTAINER_PREEMPTED",
      "CONTAINER_UPDATE_FAILED",
      "EXECUTOR_REGISTRATION_TIMEOUT",
      "EXECUTOR_REREGISTRATION_TIMEOUT",
      "GC_ERROR",
      "INVALID_OFFERS",
      "IO_SWITCHBOARD_EXITED",
      "MASTER_DISCONNECTED",
      "RESOURCES_UNKNOWN",
  };
  return reasons->contains(reason);
}

}  // namespace

Charge ChargeOf(TaskState state, const std::string& reason, bool kill_wanted) {
  switch (state) {
    case TaskState::kFinished:
      return Charge::kNone;
    case TaskState::kKilled:
      return kill_wanted ? Charge::kNone : Charge::kCluster;
    case TaskState::kFailed:
      if (kill_wanted) return Charge::kNone;
      return ByTheCluster(reason) ? Charge::kCluster : Charge::kJob;
    case TaskState::kError:
      return reason == "INVALID_OFFERS" ? Charge::kCluster : Charge::kJob;
    case TaskState::kDropped:
    case TaskState::kLost:
    case TaskState::kGone:
    case TaskState::kGoneByOperator:
      return Charge::kCluster;
    case TaskState::kIntended:
    case TaskState::kStaging:
    case TaskState::kStarting:
    case TaskState::kRunning:
    case TaskState::kKilling:
    case TaskState::kUnreachable:
    case TaskState::kUnknown:
      return Charge::kNone;
  }
  return Charge::kNone;
}

}  // namespace kiln::scheduler
