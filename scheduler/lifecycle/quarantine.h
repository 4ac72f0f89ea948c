// Which agents and devices get no work because of what they did to the work before.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "model/job.h"
#include "scheduler/lifecycle/effects.h"
#include "scheduler/lifecycle/settings.h"
#include "scheduler/lifecycle/state.h"
#include "scheduler/placement/bars.h"

namespace kiln::scheduler {

// Equal for groups that do the same work, whatever their jobs are called.
uint64_t LikenessOf(const Group& group);

// An agent that fails three unlike jobs one after the other is likely sick; a job that fails on
// three agents is likely wrong, and what it told against agents is taken back. A success takes one
// job's failures back. Devices are judged before their agents, so that one sick device does not
// cost the whole agent.
//
// Pure: time comes in. Changes the suspicions of the state and says so in the effects, which both
// outlive it. Threads: one at a time.
class Quarantine {
 public:
  Quarantine(const QuarantineSettings& settings, State& state, Effects& effects);

  void AgentSeen(const AgentId& agent) { agents_.insert(agent); }
  void AgentLost(const AgentId& agent) { agents_.erase(agent); }
  void Launched(const Task& task);
  // The task has ended, or is given up. `work` is its likeness.
  void Ended(const Task& task, uint64_t work, Instant now);
  // The task's executor says that these devices of its are sick.
  void ReportedSick(const Task& task, const std::vector<GpuId>& gpus, Instant now);

  // An operator's will. No duration: until it is released.
  void Set(const Suspect& suspect, const std::string& hostname, std::optional<Duration> time,
           const std::string& reason, Instant now);
  // kFailedPrecondition when nothing is held against it.
  Status Release(const Suspect& suspect);

  void Tick(Instant now);
  std::optional<Instant> Next() const;
  Bars GetBars() const;

 private:
  using Entry = std::map<Suspect, Suspicion>::iterator;
  struct Failed {
    std::set<AgentId> agents;
    Instant last;
  };

  void Good(const Task& task, uint64_t work, Instant now);
  void Bad(const Task& task, uint64_t work, int weight, Instant now);
  // Gives whether the suspect is in quarantine after it.
  bool AddStrike(const Suspect& suspect, const Task& task, Strike strike, Instant now);
  bool AtFault(uint64_t work) const;
  int Evidence(const Suspicion& suspicion) const;
  bool MayCondemn(const Suspect& suspect) const;
  void Unprobed(Entry entry, Instant now);
  void Condemn(Entry entry, Instant now);
  // `strikes` stay all the same.
  void Acquit(Entry entry, const std::string& why, std::vector<Strike> strikes, Instant now);
  void TakeBack(uint64_t work, Instant now);
  std::optional<Instant> Due(const Suspicion& suspicion) const;
  void Tick(Entry entry, Instant now);
  void Touch(const Suspect& suspect) { effects_.suspicions.insert(suspect); }
  void Tell(Entry entry, const char* state, std::string message);

  const QuarantineSettings& settings_;
  State& state_;
  Effects& effects_;
  std::set<AgentId> agents_;          // that are there
  std::map<uint64_t, Failed> works_;  // that failed lately
  Instant swept_;                     // when old ones were last dropped
};

}  // namespace kiln::scheduler
