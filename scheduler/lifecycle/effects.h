// What a step of the lifecycle leaves to do: records to be written first, and then calls to Mesos.
#pragma once

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "model/ids.h"
#include "model/resources.h"
#include "scheduler/lifecycle/suspicion.h"

namespace kiln::scheduler {

// A task to be launched, with the offers that pay for it.
struct LaunchCall {
  TaskId task;
  std::vector<OfferId> offers;
  std::string pool;           // of the shared executor; empty: an executor of its own
  bool new_executor = false;  // the offers pay for the shared executor too
  GpuId device;               // that the shared executor holds for its tasks, or empty

  bool operator==(const LaunchCall&) const = default;
  // What a new shared executor takes that needs `own` for itself.
  Resources ExecutorTakes(Resources own) const {
    if (!device.empty()) own += {.gpu_ids = {device}};
    return own;
  }
};

struct KillCall {
  TaskId task;
  AgentId agent;

  bool operator==(const KillCall&) const = default;
};

struct Acknowledgement {
  TaskId task;
  AgentId agent;
  std::string uuid;

  bool operator==(const Acknowledgement&) const = default;
};

// Without tasks: all that the master has.
struct ReconcileCall {
  std::vector<std::pair<TaskId, AgentId>> tasks;

  bool operator==(const ReconcileCall&) const = default;
};

struct ShutdownCall {
  ExecutorId executor;
  AgentId agent;

  bool operator==(const ShutdownCall&) const = default;
};

// What a task held until it ended.
struct Freed {
  AgentId agent;
  std::string role;
  Resources resources;

  bool operator==(const Freed&) const = default;
};

// For whoever watches.
struct Notice {
  std::string type;  // "job", "task", "model", "agent"
  std::string name;
  std::string state;
  std::string message;

  bool operator==(const Notice&) const = default;
};

struct Effects {
  // Keys of records that changed: to be written, or removed when the state has them no more.
  bool meta = false;
  std::set<std::string> jobs;
  std::set<TaskId> tasks;
  std::set<std::string> models;
  std::set<AgentId> agents;
  std::set<Suspect> suspicions;
  // Calls, to be made in this order once the records last.
  std::vector<Acknowledgement> acknowledgements;
  std::vector<LaunchCall> starts;
  std::vector<KillCall> kills;
  std::vector<ShutdownCall> shutdowns;
  std::vector<ReconcileCall> reconciles;
  std::vector<Freed> freed;
  std::vector<Notice> notices;

  bool operator==(const Effects&) const = default;
  bool Durable() const {
    return meta || !jobs.empty() || !tasks.empty() || !models.empty() || !agents.empty() ||
           !suspicions.empty();
  }
};

}  // namespace kiln::scheduler
