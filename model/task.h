// A task: one attempt of one member, from its launch intent to its end.
#pragma once

#include <optional>
#include <string>

#include "base/time.h"
#include "model/ids.h"
#include "model/resources.h"

namespace kiln {

// Mesos's states, and kIntended: the launch is remembered but may not have been sent.
enum class TaskState {
  kIntended,
  kStaging,
  kStarting,
  kRunning,
  kKilling,
  kUnreachable,
  kUnknown,
  kFinished,
  kFailed,
  kKilled,
  kError,
  kDropped,
  kLost,
  kGone,
  kGoneByOperator,
};

// "TASK_RUNNING" and so on; "INTENDED".
const char* TaskStateName(TaskState state);
// The member is free for another attempt: nothing of this task runs any more, as far as Mesos
// tells.
bool IsTerminal(TaskState state);

// Why an attempt ended, as far as the job's retries care.
enum class Charge {
  kNone,     // it has not ended, or it ended well
  kJob,      // the work failed: counts against retries
  kCluster,  // lost agent, dropped launch, preempted: does not count
};

struct MemberId {
  std::string job;
  std::string group;
  int index = 0;

  auto operator<=>(const MemberId&) const = default;
};

struct Task {
  TaskId id;
  MemberId member;
  int attempt = 0;   // from 0; never used twice for a member
  int failures = 0;  // charged attempts of the member before this one
  int evictions = 0;  // attempts before this one that were ended for other jobs
  AgentId agent;
  std::string hostname;
  ExecutorId executor;
  Resources resources;
  TaskState state = TaskState::kIntended;
  std::string message;  // of the last update
  std::string reason;   // Mesos's name, without prefix
  Charge charge = Charge::kNone;
  std::optional<bool> healthy;
  double fraction = 0;   // progress, 0 to 1
  std::string endpoint;  // host:port once a server listens
  std::string result;    // CSV, of work that has no output
  bool kill_wanted = false;
  std::string preempted_by;  // "job urgent of priority 90": for whom it has to end, or empty
  int64_t checkpoints = 0;   // that the work has told of
  Instant checkpointed;      // the last of them: what was done before it is not lost
  Instant launched;
  Instant started;
  Instant ended;
  Instant kill_sent;

  bool operator==(const Task&) const = default;
};

}  // namespace kiln
