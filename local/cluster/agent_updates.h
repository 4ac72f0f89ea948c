// The task status updates of an agent that wait for their acknowledgement.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.h"
#include "proto/mesos/v1/mesos.pb.h"

namespace kiln::local {

struct TaskKey {
  std::string framework_id;
  std::string task_id;
  auto operator<=>(const TaskKey&) const = default;
};

// One queue for each task: only its oldest update is under way; the next goes when that one is
// acknowledged. Without an acknowledgement it is due again after 10 s, then after twice as long,
// up to 10 min. A value: no clock, no messages; the owner sends what it is told to send.
class TaskUpdates {
 public:
  static constexpr Duration kFirstResend = std::chrono::seconds(10);
  static constexpr Duration kLastResend = std::chrono::minutes(10);

  enum class Added {
    kKnown,   // this uuid came before
    kQueued,  // behind an older update
    kHead,    // to be sent now
  };
  Added Add(const TaskKey& key, mesos::v1::TaskStatus status);

  struct Acknowledged {
    bool taken = false;  // false: no such update was under way
    bool last = false;   // the task's terminal update is acknowledged; its queue is gone
    std::optional<mesos::v1::TaskStatus> next;  // to be sent now
  };
  Acknowledged Acknowledge(const TaskKey& key, std::string_view uuid);

  // The owner has sent the head of this queue: starts the wait for its acknowledgement.
  void Sent(const TaskKey& key, Instant now);
  // Heads whose wait is over; the wait is doubled by the next Sent.
  std::vector<std::pair<TaskKey, mesos::v1::TaskStatus>> Due(Instant now);
  // Every head, waits begun anew: after a new registration or a new subscription.
  std::vector<std::pair<TaskKey, mesos::v1::TaskStatus>> Heads();
  std::optional<Instant> NextDue() const;

  bool Has(const TaskKey& key) const { return queues_.contains(key); }
  // The framework is gone: nobody waits for its updates.
  void Forget(const std::string& framework_id);

  // A queue as found on disk: all updates ever, and the uuids acknowledged.
  void Recover(const TaskKey& key, const std::vector<mesos::v1::TaskStatus>& updates,
               const std::set<std::string>& acknowledged);

 private:
  struct Queue {
    std::deque<mesos::v1::TaskStatus> waiting;  // the front is under way
    std::set<std::string> uuids;                // all that ever came
    Duration wait{};                            // zero: the front was not sent yet
    std::optional<Instant> due;
  };
  void Unschedule(const TaskKey& key, Queue& queue);

  std::map<TaskKey, Queue> queues_;
  std::set<std::pair<Instant, TaskKey>> schedule_;
};

bool IsTerminal(mesos::v1::TaskState state);

}  // namespace kiln::local
