// What a master and an agent say to each other, as Mesos's internal messages do: plain values,
// handed over in process and in order. Master and agent are state machines that know each other
// only through these.
//
// An agent process is named by its pid, "slave(1)@127.0.0.1:5051", as long as it lives; its AgentID
// may come and go. The shell that moves the messages tells both sides when the link between them is
// cut (see master.h and agent.h); what was under way is lost then.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/time.h"
#include "proto/mesos/v1/mesos.pb.h"

namespace kiln::local {

// ---- agent to master

// A first registration: `agent` has no id.
struct RegisterAgent {
  mesos::v1::AgentInfo agent;
  std::string version;
  std::vector<mesos::v1::AgentInfo::Capability> capabilities;
  std::vector<mesos::v1::Resource> checkpointed_resources;  // dynamic reservations and volumes
};

// What an agent remembers of a framework that has nothing left to run there.
struct CompletedFramework {
  mesos::v1::FrameworkInfo framework;
  std::vector<mesos::v1::Task> tasks;
};

// Said by an agent that has an id: after its own restart, the master's restart, or a cut link.
struct ReregisterAgent {
  mesos::v1::AgentInfo agent;  // with its id
  std::string version;
  std::vector<mesos::v1::AgentInfo::Capability> capabilities;
  std::vector<mesos::v1::Resource> checkpointed_resources;
  std::vector<mesos::v1::FrameworkInfo> frameworks;  // those of the tasks and executors
  std::vector<mesos::v1::ExecutorInfo> executors;    // with their framework_id
  std::vector<mesos::v1::Task> tasks;  // also terminal ones whose last update is not acknowledged
  std::vector<CompletedFramework> completed;
  std::vector<mesos::v1::Operation> operations;  // whose status is not acknowledged
};

// The agent leaves in order: its tasks are lost for good.
struct UnregisterAgent {
  mesos::v1::AgentID agent_id;
};

struct Pong {};

struct StatusUpdate {
  mesos::v1::FrameworkID framework_id;
  std::optional<mesos::v1::ExecutorID> executor_id;
  mesos::v1::AgentID agent_id;
  mesos::v1::TaskStatus status;  // complete: source, agent_id, timestamp, uuid, container_status
  // The newest state the agent knows of this task; may be ahead of `status` while an older update
  // waits for its acknowledgement.
  mesos::v1::TaskState latest_state = mesos::v1::TASK_STAGING;
};

struct ExitedExecutor {
  mesos::v1::AgentID agent_id;
  mesos::v1::FrameworkID framework_id;
  mesos::v1::ExecutorID executor_id;
  int32_t status = -1;  // as wait(2) gives it; -1 when it is not known
};

struct ExecutorToFramework {
  mesos::v1::AgentID agent_id;
  mesos::v1::FrameworkID framework_id;
  mesos::v1::ExecutorID executor_id;
  std::string data;
};

// The answer to ApplyOperation, and its repetition until AcknowledgeOperationStatus.
struct UpdateOperationStatus {
  mesos::v1::AgentID agent_id;
  std::optional<mesos::v1::FrameworkID> framework_id;
  std::string operation_uuid;  // 16 bytes: the master's name for the operation
  mesos::v1::OperationStatus status;
};

using AgentToMaster =
    std::variant<RegisterAgent, ReregisterAgent, UnregisterAgent, Pong, StatusUpdate,
                 ExitedExecutor, ExecutorToFramework, UpdateOperationStatus>;

// ---- master to agent

struct AgentRegistered {
  mesos::v1::AgentID agent_id;
  Duration total_ping_timeout{};  // no ping for so long: the agent takes the master for gone and
                                  // registers again
};

// Tasks that the master has for the agent and the agent did not name; it answers with a
// TASK_DROPPED (or TASK_LOST) for each that it does not know.
struct UnknownTasks {
  mesos::v1::FrameworkID framework_id;
  std::vector<mesos::v1::TaskStatus> statuses;
};

struct AgentReregistered {
  mesos::v1::AgentID agent_id;
  Duration total_ping_timeout{};
  std::vector<UnknownTasks> reconcile;
};

// `connected` false: the master has this agent as disconnected, so it should register again.
struct Ping {
  bool connected = true;
};

struct RunTask {
  mesos::v1::FrameworkInfo framework;  // with its id
  mesos::v1::TaskInfo task;            // with executor.framework_id and allocation_info filled in
  bool launch_executor = true;         // false: the master expects the executor to be there
};

struct RunTaskGroup {
  mesos::v1::FrameworkInfo framework;
  mesos::v1::ExecutorInfo executor;
  mesos::v1::TaskGroupInfo task_group;
  bool launch_executor = true;
};

struct KillTask {
  mesos::v1::FrameworkID framework_id;
  mesos::v1::TaskID task_id;
  std::optional<mesos::v1::KillPolicy> kill_policy;
};

struct StatusUpdateAcknowledgement {
  mesos::v1::FrameworkID framework_id;
  mesos::v1::TaskID task_id;
  std::string uuid;  // 16 bytes
};

struct FrameworkToExecutor {
  mesos::v1::FrameworkID framework_id;
  mesos::v1::ExecutorID executor_id;
  std::string data;
};

struct ShutdownExecutor {
  mesos::v1::FrameworkID framework_id;
  mesos::v1::ExecutorID executor_id;
};

// The framework is gone: all its executors end, and no update of it is wanted.
struct ShutdownFramework {
  mesos::v1::FrameworkID framework_id;
};

// The framework subscribed (again) or changed: the agent keeps the new info and sends all pending
// updates of it at once.
struct UpdateFramework {
  mesos::v1::FrameworkInfo framework;  // with its id
};

// The agent is not wanted: it kills everything and forgets its id ("Agent attempted to reregister
// after removal" and so on).
struct ShutdownAgent {
  std::string message;
};

struct ApplyOperation {
  std::optional<mesos::v1::FrameworkID> framework_id;
  std::string operation_uuid;
  mesos::v1::Offer::Operation operation;
};

struct AcknowledgeOperationStatus {
  std::string operation_uuid;
  std::string status_uuid;
};

struct DrainAgent {
  std::optional<Duration> max_grace_period;
  bool mark_gone = false;
};

using MasterToAgent =
    std::variant<AgentRegistered, AgentReregistered, Ping, RunTask, RunTaskGroup, KillTask,
                 StatusUpdateAcknowledgement, FrameworkToExecutor, ShutdownExecutor,
                 ShutdownFramework, UpdateFramework, ShutdownAgent, ApplyOperation,
                 AcknowledgeOperationStatus, DrainAgent>;

}  // namespace kiln::local
