// The executor as a state machine: what comes from the agent, from the work and from the clock goes
// in; what is to be sent, started, stopped comes out. It sends nothing itself.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "base/random.h"
#include "base/time.h"
#include "proto/mesos/v1/mesos.pb.h"

namespace kiln::executor {

struct ProtocolOptions {
  std::string executor_id;
  Duration shutdown_grace = std::chrono::seconds(5);  // until the agent destroys the container
};

// What happened.

// The agent's stream is open. `killing_state`: the framework knows TASK_KILLING. `container`: that
// of a default executor, whose tasks have containers of their own in it; empty for any other.
struct Subscribed {
  bool killing_state = false;
  std::string container = {};
};
// The stream is lost; for good when the agent is not to be waited for.
struct Disconnected {
  bool final = false;
};
// Tasks of one group end together when one of them does not finish well.
struct Launch {
  std::vector<mesos::v1::TaskInfo> tasks;
  bool group = false;
};
struct Kill {
  std::string task;
  std::optional<Duration> grace;  // of the call's kill policy
};
struct Acknowledged {
  std::string task;
  std::string uuid;
};
struct Shutdown {};
// An update could not be handed to the agent, which stays subscribed: it is sent again soon.
struct UpdateRefused {
  std::string task;
};
struct WorkStarted {
  std::string task;
  std::string data;  // a report, or empty
  uint32_t pid = 0;  // of a command's process
};
// At most one a second of these goes out, the newest; a server that comes up or goes down is told
// at once.
struct WorkProgress {
  std::string task;
  std::string data;
  std::optional<bool> healthy;
};
// A health check changed its mind or failed again. `kill`: too often.
struct WorkHealth {
  std::string task;
  bool healthy = true;
  bool kill = false;
};
struct WorkChecked {
  std::string task;
  mesos::v1::CheckStatusInfo status;
};
struct WorkEnded {
  std::string task;
  bool ok = false;
  std::string message;
  std::string data;
  bool invalid = false;  // it can never do well: TASK_ERROR
  // Why it failed, where Mesos has a word for it.
  std::optional<mesos::v1::TaskStatus::Reason> reason;
};
// Nothing but time.
struct TimePassed {};

using Input =
    std::variant<Subscribed, Disconnected, Launch, Kill, Acknowledged, Shutdown, UpdateRefused,
                 WorkStarted, WorkProgress, WorkHealth, WorkChecked, WorkEnded, TimePassed>;

// What is to be done.

struct SendUpdate {
  mesos::v1::TaskStatus status;
};
struct StartWork {
  mesos::v1::TaskInfo task;
  std::string container;  // its own, under a default executor
};
// First gently (SIGTERM, a cancel flag), later by force. WorkEnded is expected after each.
struct StopWork {
  std::string task;
  bool force = false;
};
struct Exit {
  int code = 0;
};
using Effect = std::variant<SendUpdate, StartWork, StopWork, Exit>;

// Threads: one. Owner: the daemon. Never fails: what makes no sense is ignored.
//
// TASK_STARTING is told of a bare command, as Mesos's own executor does, and of work that is slow
// to start; TASK_RUNNING not of one in a crowd that ends well at once. Updates of one task go out
// in order and are kept until the agent acknowledges them; a lost stream makes them go into the
// next subscription. An executor that leaves (told so, or the task is a bare command of Mesos, or
// the agent shuts it down) exits when its tasks are done and their last updates are acknowledged,
// or have been waited for long enough.
//
// As Mesos's default executor it tells the container of each task, and its process while that runs;
// leaves behind its last task, whatever groups came meanwhile; and takes a task's id again when the
// former task is over.
class Protocol {
 public:
  Protocol(ProtocolOptions options, uint64_t seed);

  std::vector<Effect> On(const Input& input, Instant now);
  // When TimePassed is due.
  std::optional<Instant> NextTimer() const;

  // The content of a subscription; call it for each one that is sent.
  struct Subscription {
    std::vector<mesos::v1::TaskInfo> unacknowledged_tasks;
    std::vector<mesos::v1::TaskStatus> unacknowledged_updates;
  };
  Subscription Subscribe();

  // From here on the executor leaves when it has no task any more.
  void LeaveWhenDone() { leaving_ = true; }

 private:
  enum class Cause { kNone, kKill, kHealth, kDeadline, kShutdown, kGroup };
  struct Update {
    mesos::v1::TaskStatus status;
    bool sent = false;
  };
  struct Task {
    mesos::v1::TaskInfo info;
    int group = 0;          // 0: none
    std::string container;  // under a default executor
    uint32_t pid = 0;       // of its process, while it runs
    bool started = false;
    bool done = false;
    bool known_to_agent = false;         // one of its updates was acknowledged
    std::deque<Update> updates;          // not acknowledged
    Cause cause = Cause::kNone;          // why it was told to end
    std::optional<Instant> starting_at;  // TASK_STARTING is told if it has not started by then
    std::optional<Instant> running_at;   // TASK_RUNNING is told if it has not ended well by then
    std::optional<Instant> force_at;
    std::optional<Instant> deadline;  // max_completion_time
    std::optional<std::string> progress;
    Instant progress_at;          // not before
    std::optional<bool> healthy;  // says the work itself
    std::optional<bool> probed;   // says its health check
    std::optional<mesos::v1::CheckStatusInfo> check_status;
  };

  void Handle(const Subscribed& event);
  void Handle(const Disconnected& event);
  void Handle(const Launch& event);
  void Handle(const Kill& event);
  void Handle(const Acknowledged& event);
  void Handle(const Shutdown& event);
  void Handle(const UpdateRefused& event);
  void Handle(const WorkStarted& event);
  void Handle(const WorkProgress& event);
  void Handle(const WorkHealth& event);
  void Handle(const WorkChecked& event);
  void Handle(const WorkEnded& event);
  void Handle(const TimePassed& event);

  bool IsDefault() const { return !container_.empty(); }
  Task* Alive(const std::string& id);
  void LaunchOne(const mesos::v1::TaskInfo& info, int group);
  Duration GraceOfDeadline(const Task& task) const;
  void Stop(Task& task, Cause cause, Duration grace);
  void ShutDown();
  mesos::v1::TaskStatus StatusOf(const Task& task, mesos::v1::TaskState state) const;
  void Queue(Task& task, mesos::v1::TaskStatus status);
  void SendProgress(Task& task);  // when it is due
  void QueueProgress(Task& task);
  void StopGroup(int group);
  void Flush(Task& task);  // sends what is not sent, where the agent listens
  void FlushAll();
  void CheckExit();

  ProtocolOptions options_;
  Random random_;
  Instant now_;
  std::vector<Effect> effects_;
  std::map<std::string, Task> tasks_;  // until their last update is acknowledged
  std::set<std::string> past_;         // so that a repeated launch is known for what it is
  std::string container_;              // of a default executor; empty: it is another one
  int groups_ = 0;
  bool connected_ = false;
  bool killing_state_ = false;
  bool leaving_ = false;
  bool shutting_down_ = false;
  bool exited_ = false;
  std::optional<Instant> resend_at_;
  std::optional<Instant> exit_at_;
};

}  // namespace kiln::executor
