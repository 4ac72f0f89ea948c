// What an agent and its shell hand each other: options, actions, what was found on disk.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "base/time.h"
#include "local/cluster/messages.h"
#include "proto/mesos/v1/executor.pb.h"
#include "proto/mesos/v1/mesos.pb.h"

namespace kiln::local {

struct AgentOptions {
  std::string pid;  // "slave(1)@127.0.0.1:5051"
  std::string ip = "127.0.0.1";
  mesos::v1::AgentInfo info;  // hostname, port, resources, attributes; no id
  Duration registration_backoff_factor = std::chrono::seconds(1);
  Duration executor_registration_timeout = std::chrono::minutes(1);
  Duration executor_reregistration_timeout = std::chrono::seconds(2);
  Duration executor_shutdown_grace_period = std::chrono::seconds(5);
  std::string command_executor;  // path of the program that runs command tasks
  bool cgroups = false;          // limits above the request can be kept
};

// Where an executor's run is: the key of its container and of everything saved about it.
struct RunKey {
  std::string framework_id;
  std::string executor_id;
  std::string container_id;
  bool operator==(const RunKey&) const = default;
};

// Processor time and memory, in thousandths of a processor and of a megabyte: sums are exact.
struct ContainerShare {
  int64_t milli_cpus = 0;  // that are not revocable
  int64_t milli_revocable_cpus = 0;
  int64_t milli_mem = 0;
  bool operator==(const ContainerShare&) const = default;
  ContainerShare& operator+=(const ContainerShare& other) {
    milli_cpus += other.milli_cpus;
    milli_revocable_cpus += other.milli_revocable_cpus;
    milli_mem += other.milli_mem;
    return *this;
  }
  ContainerShare& operator-=(const ContainerShare& other) {
    milli_cpus -= other.milli_cpus;
    milli_revocable_cpus -= other.milli_revocable_cpus;
    milli_mem -= other.milli_mem;
    return *this;
  }
};

// ---- agent to shell, to be done in this order

struct SendToMaster {
  AgentToMaster message;
};
// Answered by ContainerStarted or LaunchFailed.
struct LaunchContainer {
  RunKey key;
  mesos::v1::FrameworkInfo framework;
  mesos::v1::ExecutorInfo executor;
  ContainerShare share;                             // of the executor and its first tasks
  std::optional<mesos::v1::TaskInfo> command_task;  // of a command executor
  std::vector<mesos::v1::Resource> volumes;         // to be had in its sandbox
};
struct UpdateContainer {
  RunKey key;
  ContainerShare share;  // of the executor and all its live tasks
  std::vector<mesos::v1::Resource> volumes;
};
// Kills all its processes. Answered by ContainerEnded.
struct DestroyContainer {
  RunKey key;
};
struct SendEvent {
  uint64_t stream = 0;
  mesos::v1::executor::Event event;
};
struct CloseStream {
  uint64_t stream = 0;
};
// What must be on disk before the actions behind it are done.
struct SaveAgent {
  mesos::v1::AgentInfo info;  // with its id
};
struct SaveFramework {
  mesos::v1::FrameworkInfo framework;
};
struct SaveExecutor {
  RunKey key;
  mesos::v1::ExecutorInfo executor;
  bool command = false;
};
struct SaveTask {
  RunKey key;
  mesos::v1::Task task;
};
struct SaveUpdate {
  RunKey key;
  mesos::v1::TaskStatus status;
};
struct SaveAcknowledgement {
  RunKey key;
  std::string task_id;
  std::string uuid;
};
// The run is over and all its updates are acknowledged.
struct SaveEnd {
  RunKey key;
};
// Dynamic reservations and volumes, which outlive the agent's id, and the operations on them whose
// status is not acknowledged. A volume that is not named has no data.
struct SaveResources {
  std::vector<mesos::v1::Resource> resources;
  std::vector<mesos::v1::Operation> operations;
};
// The next start is a new life: it will register as a new agent.
struct ForgetAgent {};
// The agent process ends.
struct Exit {};

using AgentAction =
    std::variant<SendToMaster, LaunchContainer, UpdateContainer, DestroyContainer, SendEvent,
                 CloseStream, SaveAgent, SaveFramework, SaveExecutor, SaveTask, SaveUpdate,
                 SaveAcknowledgement, SaveEnd, SaveResources, ForgetAgent, Exit>;

// ---- shell to agent

struct ContainerEnd {
  std::optional<int32_t> status;  // as wait(2) gives it; none when it is not known
  // Why the container was ended, if not by itself or on the agent's order: a limit was hit.
  std::optional<mesos::v1::TaskStatus::Reason> reason;
  std::string message;
};

// What the token of an executor says; from the shell, which has checked its signature.
struct ExecutorClaims {
  std::string framework_id;
  std::string executor_id;
  std::string container_id;
};

// An HTTP answer that refuses a call.
struct Refusal {
  int status = 400;
  std::string text;
  bool operator==(const Refusal&) const = default;
};

// ---- the state of a former life, as read from disk

struct RecoveredTask {
  mesos::v1::Task task;  // as launched
  std::vector<mesos::v1::TaskStatus> updates;
  std::set<std::string> acknowledged;  // uuids
};
struct RecoveredExecutor {
  mesos::v1::ExecutorInfo info;
  std::string container_id;
  bool command = false;
  std::optional<int32_t> pid;  // none: its container has ended
  std::vector<RecoveredTask> tasks;
  std::vector<mesos::v1::TaskStatus> strays;  // updates of tasks that were never launched
};
struct RecoveredFramework {
  mesos::v1::FrameworkInfo info;
  std::vector<RecoveredExecutor> executors;
};
struct RecoveredAgent {
  mesos::v1::AgentID id;
  std::vector<RecoveredFramework> frameworks;
};

}  // namespace kiln::local
