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
  std::string pool;                  // of the shared executor; empty: an executor of its own
  bool new_executor = false;         // the offers pay for the shared executor too
  GpuId device;                      // that the shared executor holds for its tasks, or empty
  std::vector<std::string> volumes;  // of its own, that are made with it

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

struct OperationAcknowledgement {
  std::string operation;
  AgentId agent;
  std::string uuid;

  bool operator==(const OperationAcknowledgement&) const = default;
};

// Volumes that nobody wants, in an offer that has them: an ACCEPT without a launch.
struct RemovalCall {
  struct One {
    std::string volume;
    std::string destroy;  // ids of operations; empty: not to be done
    std::string unreserve;

    bool operator==(const One&) const = default;
  };
  std::vector<OfferId> offers;
  std::vector<One> volumes;
  Resources resources;  // that these are in the offer

  bool operator==(const RemovalCall&) const = default;
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
  std::string type;  // "job", "task", "model", "agent", "volume"
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
  std::set<std::string> volumes;
  // Calls, to be made in this order once the records last.
  std::vector<Acknowledgement> acknowledgements;
  std::vector<OperationAcknowledgement> operation_acknowledgements;
  std::vector<RemovalCall> removals;
  std::vector<LaunchCall> starts;
  std::vector<KillCall> kills;
  std::vector<ShutdownCall> shutdowns;
  std::vector<ReconcileCall> reconciles;
  // Operations of which the state is asked for, each with its agent.
  std::vector<std::pair<std::string, AgentId>> operations_asked;
  std::vector<Freed> freed;
  std::vector<Notice> notices;

  bool operator==(const Effects&) const = default;
  bool Durable() const {
    return meta || !jobs.empty() || !tasks.empty() || !models.empty() || !agents.empty() ||
           !suspicions.empty() || !volumes.empty();
  }
};

}  // namespace kiln::scheduler
