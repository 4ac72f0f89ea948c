// A Mesos agent as a state machine: what it knows, and what it makes of messages, executor calls,
// container ends and time.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/time.h"
#include "local/cluster/agent_state.h"
#include "local/cluster/agent_updates.h"
#include "local/cluster/agent_values.h"
#include "local/cluster/resources.h"
#include "proto/mesos/v1/agent.pb.h"

namespace kiln::local {

// Where the agent stands with its master.
enum class AgentPhase {
  kRecovering,    // executors of its former life may come back; the master is not told yet
  kDisconnected,  // registers, again and again
  kRegistered,
  kTerminating,  // ends its executors, then itself
};

struct AgentCounts {
  int tasks_finished = 0, tasks_failed = 0, tasks_killed = 0, tasks_lost = 0, tasks_gone = 0;
  int valid_status_updates = 0, invalid_status_updates = 0;
  int valid_framework_messages = 0, invalid_framework_messages = 0;
  int container_launch_errors = 0;
  int executors_terminated = 0;
  int executors_preempted = 0;
};

// Every input may leave actions; the shell takes and does them in order before the next input.
// Threads: none of its own, not for several at once. Time comes with the inputs.
class Agent {
 public:
  Agent(AgentOptions options, Random random);

  // What former lives kept; comes before the start.
  void Restore(const SaveResources& saved);
  // A life without memory.
  void Start(Instant now);
  // A life that goes on from what a former one saved.
  void Recover(Instant now, const RecoveredAgent& state);

  void FromMaster(Instant now, const MasterToAgent& message);
  // Leaves in order: the master is told, executors end, then Exit.
  void ShutDown(Instant now);
  // As a QoS controller does: executors that have revocable resources, or tasks with some, end.
  void TakeBack();
  void Tick(Instant now);
  std::optional<Instant> NextDeadline() const;

  // The checks of an executor's call, in Mesos's order: of the call itself, then (Accept of a
  // SUBSCRIBE is the shell's) of who makes it.
  static std::optional<Refusal> Validate(const mesos::v1::executor::Call& call);
  std::optional<Refusal> Admit(const mesos::v1::executor::Call& call,
                               const std::optional<ExecutorClaims>& claims) const;
  // An admitted SUBSCRIBE; `stream` is the shell's name for the answer.
  void Subscribe(Instant now, const mesos::v1::executor::Call& call, uint64_t stream);
  // An admitted call that is no SUBSCRIBE.
  void Handle(Instant now, const mesos::v1::executor::Call& call);

  void ContainerStarted(const RunKey& key, int32_t pid);
  void LaunchFailed(Instant now, const RunKey& key, const std::string& message);
  void ContainerEnded(Instant now, const RunKey& key, const ContainerEnd& end);

  std::vector<AgentAction> TakeActions();

  AgentPhase phase() const { return phase_; }
  const mesos::v1::AgentInfo& info() const { return options_.info; }
  const AgentOptions& options() const { return options_; }
  const AgentCounts& counts() const { return counts_; }
  const std::map<std::string, AgentFramework>& frameworks() const { return frameworks_; }
  const std::deque<AgentFramework>& completed_frameworks() const { return completed_; }

  // Answers of the operator API.
  mesos::v1::agent::Response::GetAgent GetAgent() const;
  mesos::v1::agent::Response::GetTasks GetTasks() const;
  mesos::v1::agent::Response::GetExecutors GetExecutors() const;
  mesos::v1::agent::Response::GetFrameworks GetFrameworks() const;

 private:
  // registration: agent.cc
  void Register(Instant now);
  void Disconnect(Instant now);
  void EndRecovery(Instant now);
  void Resume(Instant now);
  ReregisterAgent Reregistration() const;
  void On(Instant now, const AgentRegistered& message);
  void On(Instant now, const AgentReregistered& message);
  void On(Instant now, const Ping& message);
  void On(Instant now, const UpdateFramework& message);
  void On(Instant now, const ShutdownAgent& message);

  // operations on resources: agent_operations.cc
  struct PendingOperation {
    mesos::v1::Operation operation;
    Duration wait{};
    Instant due;
  };
  void On(Instant now, const ApplyOperation& message);
  void On(Instant now, const AcknowledgeOperationStatus& message);
  void SaveKept();
  void ForwardOperation(Instant now, PendingOperation& pending);
  // All, or those whose time has come.
  void ForwardOperations(Instant now, bool all);

  // launches: agent_launch.cc
  void On(Instant now, const RunTask& message);
  void On(Instant now, const RunTaskGroup& message);
  struct Launch;
  AgentFramework& FrameworkOf(const mesos::v1::FrameworkInfo& info);
  void Run(Instant now, AgentFramework& framework, const Launch& launch);
  void Queue(Instant now, AgentFramework& framework, AgentExecutor& executor, const Launch& launch);
  void Deliver(AgentFramework& framework, AgentExecutor& executor, const QueuedWork& work);
  void DropTasks(Instant now, AgentFramework& framework, const Launch& launch,
                 mesos::v1::TaskStatus::Reason reason, const std::string& message);

  // ends: agent_end.cc
  void On(Instant now, const KillTask& message);
  void On(Instant now, const ShutdownExecutor& message);
  void On(Instant now, const ShutdownFramework& message);
  void On(Instant now, const DrainAgent& message);
  void Kill(Instant now, AgentFramework& framework, const std::string& task_id,
            const std::optional<mesos::v1::KillPolicy>& policy);
  void KillQueued(Instant now, AgentFramework& framework, AgentExecutor& executor,
                  const std::string& task_id);
  void ShutDownExecutor(Instant now, AgentExecutor& executor);
  void ShutDownFramework(Instant now, AgentFramework& framework);
  void Destroy(AgentExecutor& executor, Termination termination);
  void Expire(Instant now, AgentExecutor& executor);
  void TerminateTasks(Instant now, AgentFramework& framework, AgentExecutor& executor,
                      const ContainerEnd& end);
  void RemoveExecutor(AgentFramework& framework, const std::string& executor_id);
  void RemoveIfIdle(const std::string& framework_id);
  void Leave(Instant now);

  // updates and messages: agent_status.cc
  void On(Instant now, const StatusUpdateAcknowledgement& message);
  void On(Instant now, const FrameworkToExecutor& message);
  void FromExecutor(Instant now, AgentFramework& framework, mesos::v1::TaskStatus status);
  void Store(Instant now, AgentFramework& framework, AgentExecutor* executor,
             const mesos::v1::TaskStatus& status);
  void NoteState(AgentFramework& framework, AgentExecutor& executor,
                 const mesos::v1::TaskStatus& status);
  void Report(Instant now, AgentFramework& framework, AgentExecutor* executor,
              const std::string& task_id, mesos::v1::TaskState state,
              mesos::v1::TaskStatus::Reason reason, const std::string& message);
  mesos::v1::TaskStatus NewStatus(Instant now, const std::string& task_id,
                                  mesos::v1::TaskState state, mesos::v1::TaskStatus::Reason reason,
                                  const std::string& message);
  void Forward(Instant now, const TaskKey& key, const mesos::v1::TaskStatus& status);
  void RewriteWhenDraining(const AgentFramework& framework, mesos::v1::TaskStatus& status) const;
  void AddContainerStatus(const AgentExecutor& executor, mesos::v1::TaskStatus& status) const;
  void Acknowledged(AgentExecutor& executor, const mesos::v1::TaskStatus& status);
  void DropForgotten(Instant now, AgentFramework& framework, AgentExecutor& executor,
                     const mesos::v1::executor::Call::Subscribe& subscribe);

  AgentFramework* FindFramework(const std::string& id);
  AgentExecutor* FindExecutor(const RunKey& key);
  bool Working() const {
    return phase_ == AgentPhase::kDisconnected || phase_ == AgentPhase::kRegistered;
  }
  template <typename Message>
  void Send(Message message) {
    actions_.emplace_back(SendToMaster{AgentToMaster(std::move(message))});
  }
  void SendEvent(const AgentExecutor& executor, mesos::v1::executor::Event event);
  void CloseStreamOf(AgentExecutor& executor);
  std::string NewUuid();

  AgentOptions options_;
  Random random_;
  AgentPhase phase_ = AgentPhase::kDisconnected;
  std::optional<Instant> register_at_;
  Duration backoff_{};
  Duration ping_timeout_{};
  std::optional<Instant> ping_deadline_;
  std::optional<Instant> recovery_end_;
  std::optional<DrainAgent> drain_;
  Instant drain_start_;

  std::map<std::string, AgentFramework> frameworks_;
  std::deque<AgentFramework> completed_;
  TaskUpdates updates_;
  Resources total_;
  std::map<std::string, PendingOperation> operations_;  // by uuid, until acknowledged
  AgentCounts counts_;
  std::vector<AgentAction> actions_;
};

// What a completed list keeps.
constexpr size_t kCompletedFrameworksMax = 50;
constexpr size_t kCompletedExecutorsMax = 150;
constexpr size_t kCompletedTasksMax = 200;

}  // namespace kiln::local
