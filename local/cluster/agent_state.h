// The nouns of an agent's state: frameworks, their executors, and the tasks of these.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "local/cluster/agent_values.h"

namespace kiln::local {

enum class ExecutorState {
  kRegistering,  // its container is launched, or was by a former life of the agent
  kRunning,      // it has subscribed
  kTerminating,  // it was told to end, or its container is being destroyed
  kTerminated,   // its container is gone; updates of its tasks wait for acknowledgement
};

// Why an executor's container is destroyed: what its tasks are told.
struct Termination {
  mesos::v1::TaskState state = mesos::v1::TASK_FAILED;
  mesos::v1::TaskStatus::Reason reason = mesos::v1::TaskStatus::REASON_EXECUTOR_TERMINATED;
  std::string message;
};

using QueuedWork = std::variant<mesos::v1::TaskInfo, mesos::v1::TaskGroupInfo>;

struct AgentExecutor {
  RunKey key;
  mesos::v1::ExecutorInfo info;
  bool command = false;  // made by the agent for a command task
  bool checkpoint = false;
  ExecutorState state = ExecutorState::kRegistering;
  std::optional<uint64_t> stream;
  std::optional<int32_t> pid;
  std::optional<Instant> deadline;  // to register, or to end
  std::optional<Termination> termination;
  // Of the executor and all its tasks that have not ended.
  ContainerShare share;
  std::vector<mesos::v1::Resource> volumes;

  std::vector<QueuedWork> queued;  // until it subscribes
  std::map<std::string, mesos::v1::Task> launched;
  std::map<std::string, mesos::v1::Task> terminated;  // last update not acknowledged
  std::deque<mesos::v1::Task> completed;

  // Some task was, as far as it has told of it or is to.
  bool EverSentTask() const;
  // Updates of its tasks are still to come or to be acknowledged.
  bool HasWork() const { return !queued.empty() || !launched.empty() || !terminated.empty(); }
  const mesos::v1::TaskInfo* FindQueued(const std::string& task_id) const;
  // The group's tasks if it was queued in a group.
  std::vector<mesos::v1::TaskInfo> QueuedWith(const std::string& task_id) const;
  void Unqueue(const std::string& task_id);
  std::vector<mesos::v1::TaskInfo> QueuedTasks() const;
  // Of the executor and all its tasks that have not ended.
  std::vector<mesos::v1::Resource> Resources() const;
  void Take(const google::protobuf::RepeatedPtrField<mesos::v1::Resource>& resources);
  void Return(const google::protobuf::RepeatedPtrField<mesos::v1::Resource>& resources);
};

struct AgentFramework {
  mesos::v1::FrameworkInfo info;
  bool terminating = false;
  std::map<std::string, AgentExecutor> executors;
  std::unordered_map<std::string, std::string> executor_of_task;  // not of completed ones
  std::deque<AgentExecutor> completed;

  const std::string& id() const { return info.id().value(); }
  bool PartitionAware() const;
  // The executor that has this task queued, launched or terminated.
  AgentExecutor* ExecutorOf(const std::string& task_id);
};
// The task as masters and agents list it.
mesos::v1::Task TaskOf(const mesos::v1::TaskInfo& info, mesos::v1::TaskState state,
                       const mesos::v1::FrameworkID& framework_id);
// The executor that Mesos makes for a command task; `program` is the path of the command executor.
mesos::v1::ExecutorInfo CommandExecutor(const mesos::v1::FrameworkInfo& framework,
                                        const mesos::v1::TaskInfo& task,
                                        const std::string& program);
// Sets the task's state to that of a status and keeps the status: one for each run of equal states,
// without data.
void Note(mesos::v1::Task& task, const mesos::v1::TaskStatus& status);
// "5secs", "15mins": the largest unit that gives a whole number.
std::string DurationText(Duration duration);

}  // namespace kiln::local
