// Which executors carry the tasks of which pool on which agent, and what is free of the devices
// that they hold for them.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/time.h"
#include "model/resources.h"
#include "scheduler/lifecycle/effects.h"
#include "scheduler/placement/snapshot.h"

namespace kiln::scheduler {

class SharedExecutors {
 public:
  // Where a further task needs no new executor.
  const WarmExecutors& Warm() const { return warm_; }

  // Of the devices of executors that get further tasks.
  using Shared = SharedDevices;
  const Shared& FreeShares() const { return shared_; }
  // Adds the devices of these offers that an executor with tasks holds: Mesos has lost sight of it.
  void AddHeld(const std::vector<Offer>& offers, Bars& bars) const;

  // The executor for a further task; `fresh` names it when there is none yet.
  struct Use {
    ExecutorId executor;
    bool is_new = false;
  };
  Use Add(const std::string& pool, const AgentId& agent, const ExecutorId& fresh);
  // The same for a task that has a share of a device.
  Use AddShare(const std::string& role, const GpuShare& share, const AgentId& agent,
               const ExecutorId& fresh);
  // An executor of an earlier life carries this task: it is counted, but gets no further one, since
  // its ExecutorInfo is not known to be the same.
  void Adopt(const ExecutorId& executor, const AgentId& agent, const Resources& has);
  // A task of the executor ended. Nothing for an executor that is not shared.
  void Ended(const ExecutorId& executor, const Resources& had, Instant now);
  // The executor has spoken.
  void Confirm(const ExecutorId& executor);
  bool Confirmed(const ExecutorId& executor) const;
  bool Known(const ExecutorId& executor) const { return entries_.contains(executor); }
  // Gets no further task. It is shut down when its last one has ended: also when it is said to be
  // gone, as Mesos says so as well of one that it has lost sight of, and never offers that again.
  void Retire(const ExecutorId& executor);
  void RetireAgent(const AgentId& agent);
  // All that an offer of the agent tells of. One that has spoken and is not among them is unknown
  // to the master, who would refuse tasks for it.
  void Seen(const AgentId& agent, const std::vector<ExecutorId>& there);

  // Those without a task for this long, who are dropped by this.
  std::vector<ShutdownCall> TakeIdle(Instant now, Duration idle);
  std::optional<Instant> NextIdle(Duration idle) const;

 private:
  struct Entry {
    std::string pool;  // empty: gets no further task
    AgentId agent;
    int tasks = 0;
    bool confirmed = false;
    std::string role;  // with a device
    GpuShare free;     // of its device; without an id: none
    Instant idle_since;
  };
  // Every change of an entry stands between the two: they keep the lists below.
  void Leave(const ExecutorId& executor, const Entry& entry);
  void Enter(const ExecutorId& executor, const Entry& entry);
  void Close(Entry& entry);
  void Drop(const ExecutorId& executor);

  std::unordered_map<ExecutorId, Entry> entries_;
  std::set<std::pair<Instant, ExecutorId>> idle_;  // without tasks, that get further ones
  std::set<ExecutorId> done_;                      // without tasks, that get none
  std::unordered_map<AgentId, std::map<GpuId, ExecutorId>> held_;  // devices of those with tasks
  Shared shared_;
  std::unordered_map<AgentId, std::map<std::string, ExecutorId>> open_;  // by agent and pool
  WarmExecutors warm_;                                                   // of open_
};

}  // namespace kiln::scheduler
