// A large cluster as the scheduler's cores see it: agents that offer what their tasks do not take,
// and thousands of unlike jobs. Plays the master; one thread.
#pragma once

#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "model/job.h"
#include "scheduler/lifecycle/cycle.h"

namespace kiln::bench {

inline constexpr int kLargeAgents = 50'000;
inline constexpr int kLargeJobs = 11'000;
inline constexpr int kJobMembers = 1'000;
inline constexpr int kStartedJobs = 2'000;  // of which the first half of the members run

// Roles with weights, one of them below another, and one with a quota.
scheduler::Settings LargeSettings();
// Every tenth job is a gang; GPUs by count and by share, kernels in executors of their job or of a
// pool, constraints, and commands of many sizes. By number, from 0.
Job LargeJob(int number);

// The agents: what they have free, and the tasks on them. Every fifth has eight GPUs.
class LargeCluster {
 public:
  LargeCluster();

  const Agent& AgentAt(int number) const { return agents_[static_cast<size_t>(number)]; }
  const Agent& AgentOf(const AgentId& id) const;
  // A place for one more member, on the agent that the last one of its like went to or on one
  // behind it. Nothing when it fits nowhere.
  std::optional<scheduler::Launch> Find(const Job& job, int index);
  // Everything that the agent has free, in an offer.
  Offer OfferOf(int agent, Instant now);
  // Launched tasks take theirs, and executors that shut down give theirs back.
  void Apply(const scheduler::Lifecycle& lifecycle, const scheduler::Effects& effects);
  // The task has ended.
  void End(const Task& task);
  // Those on the agent that have not ended.
  const std::vector<const Task*>& Tasks(int agent) const {
    return tasks_[static_cast<size_t>(agent)];
  }

 private:
  bool HasRoom(int agent, const Group& group) const;
  bool Fits(int agent, const Group& group) const;

  std::vector<Agent> agents_;
  std::vector<Resources> free_;
  std::vector<std::vector<const Task*>> tasks_;
  std::map<ExecutorId, Resources> executors_;  // that are shared, and what they take
  int64_t offers_ = 0;
  int next_ = 0;                               // where work without devices goes
  int next_devices_ = 0;                       // where work with devices goes
  std::optional<std::pair<int, GpuId>> half_;  // a device of which half is free
};

}  // namespace kiln::bench
