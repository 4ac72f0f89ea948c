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
// I4  who is told that another leads calls Mesos no more.
// I5  nothing is launched before Mesos was heard of every task that was live at the subscription.
// I6  members of a gang start together.
// I8  no device, share of a device or port is used twice.
// I9  who has others evicted fits into what they leave, where the scheduler can know: Mesos may
// offer
//     what a task has left before it tells of its end.
// I10 a device in quarantine gets no task.
// I12 the records that were written, in their order, give the state in memory.
//
// data: a member goes on with the volume that it began with, unless the disk is lost, and no
//     volume goes before its job has ended.
//
// I7 and I11 need the scheduler itself: simulation.cc.
class Checks {
 public:
  explicit Checks(Stage& stage) : stage_(stage) {}

  // What the disk has; the log replayed.
  const scheduler::State& durable() const { return durable_; }

  // `memory`: the state of the scheduler that wrote it; null while it starts.
  void Committed(std::span<const scheduler::Change> changes, const scheduler::State* memory);
  void SchedulerStarted(uint64_t life);
  // The store has refused it, as another one leads.
  void Deposed(uint64_t life) { sessions_[life].deposed = true; }
  void Submitted(const std::string& job);  // and told so
  // Of one life of a scheduler.
  void CallGoesOut(uint64_t life, const mesos::v1::scheduler::Call& call, Instant now);
  void EventArrives(uint64_t life, const mesos::v1::scheduler::Event& event, Instant now);

  void WorkStarts(size_t machine, const mesos::v1::TaskInfo& task, const v1::Work& work);
  void WorkEnds(const std::string& task);
  // What was on the disk of an agent that is given up, or whose machine is replaced.
  void DiskLost(const std::string& agent);
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

  // What one life has heard since its subscription.
  struct Session {
    bool deposed = false;
    Instant subscribed;
    std::set<TaskId> unheard;
    std::map<std::string, TaskState> told;  // by uuid
  };

  void CheckGangs(const std::set<std::string>& jobs);
  void CheckQuarantine(const Task& task);
  void CheckRoom(const std::set<std::string>& preemptors);
  void CheckLaunch(Session& session, const mesos::v1::scheduler::Call& call, Instant now);
  void CheckVolumes(const mesos::v1::Offer::Operation& operation);
  void CheckData(const MemberId& member, const std::string& volume);
  void CheckCopies(const std::string& task, const LiveWork& work);
  void CheckDevices(const std::string& task, const LiveWork& work);

  Stage& stage_;
  scheduler::State durable_;
  std::set<std::string> submitted_;
  std::map<AgentId, Resources> totals_;   // of agents that have been offered
  std::set<TaskId> ended_;                // of which the disk does not know that yet
  std::set<AgentId> ahead_;               // that offered what is left of such tasks
  std::map<std::string, LiveWork> live_;  // by task
  std::set<std::string> held_;            // volumes that the disk has told of as made
  std::set<std::string> lost_;            // volumes
  std::map<MemberId, std::string> data_;  // the volume that the member has begun on
  std::map<uint64_t, Session> sessions_;  // by life
};

// The first difference between two states, or nothing.
std::string Difference(const scheduler::State& memory, const scheduler::State& disk);

}  // namespace kiln::simulation
