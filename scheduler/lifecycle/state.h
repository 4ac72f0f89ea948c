// All that the scheduler knows and must not forget, as values.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "model/job.h"
#include "model/offer.h"
#include "model/task.h"
#include "scheduler/lifecycle/suspicion.h"
#include "scheduler/lifecycle/volume.h"
#include "scheduler/placement/claims.h"

namespace kiln::scheduler {

enum class JobPhase { kWaiting, kRunning, kSucceeded, kFailed, kKilling, kKilled };
inline constexpr JobPhase kJobPhases[] = {JobPhase::kWaiting,   JobPhase::kRunning,
                                          JobPhase::kSucceeded, JobPhase::kFailed,
                                          JobPhase::kKilling,   JobPhase::kKilled};

// "WAITING" and so on.
const char* JobPhaseName(JobPhase phase);
inline bool IsEnded(JobPhase phase) {
  return phase == JobPhase::kSucceeded || phase == JobPhase::kFailed || phase == JobPhase::kKilled;
}

// A submitted job. Its name is free again for another job only when this one has ended.
struct JobRecord {
  Job job;              // groups expanded
  uint64_t digest = 0;  // of the job as submitted: the same name and digest is the same submit
  JobPhase phase = JobPhase::kWaiting;
  std::string message;  // why it ended as it did
  Instant submitted;
  Instant ended;
  std::optional<Claim> claim;    // while others end for it, or it moves for others
  std::vector<Instant> evicted;  // when it had others ended, lately

  bool operator==(const JobRecord&) const = default;
};

struct ModelVersion {
  std::string model;
  int64_t version = 0;  // from 1, never used twice
  std::string uri;
  std::string job;
  uint64_t job_digest = 0;
  std::string data_digest;
  std::string algorithm;
  std::vector<std::string> features;
  std::map<std::string, double> metrics;
  std::map<std::string, std::string> parameters;
  Instant created;

  bool operator==(const ModelVersion&) const = default;
};

// A model of the registry: versions are immutable, labels move.
struct Model {
  std::string name;
  std::map<int64_t, ModelVersion> versions;
  std::map<std::string, int64_t> labels;

  bool operator==(const Model&) const = default;
};

struct State {
  std::string framework_id;  // empty until the first SUBSCRIBED
  uint64_t incarnation =
      0;  // counts the starts of the scheduler on this state: part of every new id
  std::map<std::string, JobRecord> jobs;
  std::map<TaskId, Task> tasks;  // of jobs that have not been forgotten
  std::map<std::string, Model> models;
  std::map<AgentId, Agent> agents;  // where those tasks and volumes are or were
  std::map<Suspect, Suspicion> suspicions;
  std::map<std::string, VolumeRecord> volumes;  // by id; those of ended jobs until they are gone

  bool operator==(const State&) const = default;
};

// Tasks by state.
using TaskCounts = std::array<uint64_t, static_cast<size_t>(TaskState::kGoneByOperator) + 1>;

inline uint64_t& CountOf(TaskCounts& counts, TaskState state) {
  return counts[static_cast<size_t>(state)];
}

// Looks at each task.
inline TaskCounts CountStates(const State& state) {
  TaskCounts counts{};
  for (const auto& [id, task] : state.tasks) ++CountOf(counts, task.state);
  return counts;
}

}  // namespace kiln::scheduler
