// What must hold at every step, by the names I1 to I12.
#pragma once

#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "proto/kiln/v1/work.pb.h"
#include "proto/mesos/v1/scheduler.pb.h"
#include "scheduler/lifecycle/settings.h"
#include "scheduler/lifecycle/state.h"
#include "scheduler/store/store.h"
#include "tests/simulation/stage.h"

namespace kiln::simulation {

// Sees the disk, the wire between scheduler and master, and the work as it really runs; tells the
// history of the first violation.
//
// I1  an acknowledged submit is in the durable state.
// I2  of a member there is one live copy, but for those that the scheduler has given up.
// I3  what is done is remembered: the framework id and the task before ACCEPT, the end of a task
//     before its ACKNOWLEDGE, the wish before KILL.
// I5  nothing is launched before Mesos was heard of every task that was live at the subscription.
// I6  members of a gang start together.
// I8  no device, share of a device or port is used twice.
// I10 a device in quarantine gets no task.
// I12 the records that were written, in their order, give the state in memory.
//
// I7 and I11 need the scheduler itself: simulation.cc. I4 is of several schedulers, and I9 asks
// what would have been without faults: neither is seen here.
class Checks {
 public:
  explicit Checks(Stage& stage) : stage_(stage) {}

  // What the disk has; the log replayed.
  const scheduler::State& durable() const { return durable_; }

  // `memory`: the state of the scheduler that wrote it; null while it starts.
  void Committed(std::span<const scheduler::Change> changes, const scheduler::State* memory);
  void SchedulerStarted();
  void Submitted(const std::string& job);  // and told so
  void CallGoesOut(const mesos::v1::scheduler::Call& call, Instant now);
  void EventArrives(const mesos::v1::scheduler::Event& event, Instant now);

  void WorkStarts(size_t machine, const mesos::v1::TaskInfo& task, const v1::Work& work);
  void WorkEnds(const std::string& task);
  size_t Live() const { return live_.size(); }
  // Live tasks of a job.
  std::vector<std::string> LiveOf(const std::string& job) const;

 private:
  struct LiveWork {
    size_t machine = 0;
    MemberId member;
    std::set<std::string> gpus;
    std::string shared_gpu;
    int share = 0;
    std::set<int> ports;
  };

  void CheckGangs(const std::set<std::string>& jobs);
  void CheckQuarantine(const Task& task);
  void CheckLaunch(const mesos::v1::scheduler::Call& call, Instant now);
  void CheckCopies(const std::string& task, const LiveWork& work);
  void CheckDevices(const std::string& task, const LiveWork& work);

  Stage& stage_;
  scheduler::State durable_;
  std::set<std::string> submitted_;
  std::map<std::string, LiveWork> live_;  // by task
  // Since the subscription.
  Instant subscribed_;
  std::set<TaskId> unheard_;
  std::map<std::string, TaskState> told_;  // by uuid
};

// The first difference between two states, or nothing.
std::string Difference(const scheduler::State& memory, const scheduler::State& disk);

}  // namespace kiln::simulation
