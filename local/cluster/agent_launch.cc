// How an agent launches tasks: which executor takes them, and when they are refused.
#include <algorithm>
#include <utility>

#include "local/cluster/agent.h"

namespace kiln::local {

using mesos::v1::TaskGroupInfo;
using mesos::v1::TaskInfo;
using mesos::v1::TaskStatus;
using mesos::v1::executor::Event;

struct Agent::Launch {
  QueuedWork work;
  std::vector<TaskInfo> tasks;  // of the work
  mesos::v1::ExecutorInfo executor;
  bool command = false;  // the executor is made for this command task
  bool launch_executor = true;
};

void Agent::On(Instant now, const RunTask& message) {
  if (message.task.agent_id().value() != options_.info.id().value()) return;
  Launch launch{message.task,
                {message.task},
                message.task.executor(),
                message.task.has_command(),
                message.launch_executor};
  if (launch.command) {
    launch.executor = CommandExecutor(message.framework, message.task, options_.command_executor);
  }
  if (!Working()) return;
  Run(now, FrameworkOf(message.framework), launch);
  RemoveIfIdle(message.framework.id().value());
}

void Agent::On(Instant now, const RunTaskGroup& message) {
  Launch launch{message.task_group, {}, message.executor, false, message.launch_executor};
  for (TaskInfo& task : *std::get<TaskGroupInfo>(launch.work).mutable_tasks()) {
    if (task.agent_id().value() != options_.info.id().value()) return;
    *task.mutable_executor() = message.executor;
    launch.tasks.push_back(task);
  }
  if (!Working()) return;
  Run(now, FrameworkOf(message.framework), launch);
  RemoveIfIdle(message.framework.id().value());
}

AgentFramework& Agent::FrameworkOf(const mesos::v1::FrameworkInfo& info) {
  const std::string& id = info.id().value();
  if (AgentFramework* framework = FindFramework(id)) return *framework;
  auto former = std::find_if(completed_.begin(), completed_.end(),
                             [&](const AgentFramework& it) { return it.id() == id; });
  AgentFramework& framework = frameworks_[id];
  if (former != completed_.end()) {
    framework.completed = std::move(former->completed);
    completed_.erase(former);
  }
  framework.info = info;
  return framework;
}

void Agent::DropTasks(Instant now, AgentFramework& framework, const Launch& launch,
                      TaskStatus::Reason reason, const std::string& message) {
  const auto state = framework.PartitionAware() ? mesos::v1::TASK_DROPPED : mesos::v1::TASK_LOST;
  for (const TaskInfo& task : launch.tasks) {
    TaskStatus status = NewStatus(now, task.task_id().value(), state, reason, message);
    if (!launch.command) *status.mutable_executor_id() = launch.executor.executor_id();
    Store(now, framework, nullptr, status);
  }
}

void Agent::Run(Instant now, AgentFramework& framework, const Launch& launch) {
  if (framework.terminating) return;
  // The master has this executor under way; a launch that starts none must tell it so.
  auto exited = [&] {
    if (launch.launch_executor && !launch.command) {
      Send(ExitedExecutor{options_.info.id(), framework.info.id(), launch.executor.executor_id()});
    }
  };
  if (drain_) {
    exited();
    return DropTasks(now, framework, launch, TaskStatus::REASON_AGENT_DRAINING,
                     "Task dropped since the agent is draining");
  }
  for (const TaskInfo& task : launch.tasks) {
    if (options_.cgroups) break;
    for (const auto& [name, text] : {std::pair{"cpus",
                                               "CPU limits can only be set on tasks "
                                               "launched in Mesos containers when the "
                                               "agent has loaded the 'cgroups/cpu' "
                                               "isolator"},
                                     std::pair{"mem",
                                               "Memory limits can only be set on tasks "
                                               "launched in Mesos containers when the "
                                               "agent has loaded the 'cgroups/mem' "
                                               "isolator"}}) {
      if (!task.limits().contains(name)) continue;
      exited();
      return DropTasks(now, framework, launch, TaskStatus::REASON_GC_ERROR, text);
    }
  }
  auto found = framework.executors.find(launch.executor.executor_id().value());
  const bool exists = found != framework.executors.end();
  if (launch.launch_executor && exists) {
    exited();
    return DropTasks(now, framework, launch, TaskStatus::REASON_EXECUTOR_TERMINATED,
                     "Master wants to launch executor, but one already exists");
  }
  if (!launch.launch_executor && !exists) {
    return DropTasks(now, framework, launch, TaskStatus::REASON_EXECUTOR_TERMINATED,
                     "No executor is expected to launch and there is no executor running");
  }
  if (exists) {
    const ExecutorState state = found->second.state;
    if (state == ExecutorState::kTerminating || state == ExecutorState::kTerminated) {
      return DropTasks(
          now, framework, launch, TaskStatus::REASON_EXECUTOR_TERMINATED,
          state == ExecutorState::kTerminating ? "Executor terminating" : "Executor terminated");
    }
    return Queue(now, framework, found->second, launch);
  }
  AgentExecutor& executor = framework.executors[launch.executor.executor_id().value()];
  executor.key = {framework.id(), launch.executor.executor_id().value(),
                  UuidText(UuidBytes(random_))};
  executor.info = launch.executor;
  executor.command = launch.command;
  executor.checkpoint = framework.info.checkpoint();
  executor.Take(executor.info.resources());
  executor.deadline = now + options_.executor_registration_timeout;
  if (executor.checkpoint) {
    actions_.emplace_back(SaveFramework{framework.info});
    actions_.emplace_back(SaveExecutor{executor.key, executor.info, executor.command});
  }
  Queue(now, framework, executor, launch);
  LaunchContainer action{executor.key, framework.info,  executor.info, executor.share,
                         {},           executor.volumes};
  if (launch.command) action.command_task = launch.tasks.front();
  actions_.emplace_back(std::move(action));
}

void Agent::Queue(Instant, AgentFramework& framework, AgentExecutor& executor,
                  const Launch& launch) {
  for (const TaskInfo& task : launch.tasks) {
    framework.executor_of_task[task.task_id().value()] = executor.key.executor_id;
    executor.Take(task.resources());
    if (executor.checkpoint) {
      actions_.emplace_back(
          SaveTask{executor.key, TaskOf(task, mesos::v1::TASK_STAGING, framework.info.id())});
    }
  }
  if (executor.state == ExecutorState::kRegistering) {
    executor.queued.push_back(launch.work);
    return;
  }
  Deliver(framework, executor, launch.work);
}

void Agent::Deliver(AgentFramework& framework, AgentExecutor& executor, const QueuedWork& work) {
  Event event;
  auto launched = [&](const TaskInfo& task) {
    executor.launched[task.task_id().value()] =
        TaskOf(task, mesos::v1::TASK_STAGING, framework.info.id());
  };
  if (const auto* task = std::get_if<TaskInfo>(&work)) {
    event.set_type(Event::LAUNCH);
    *event.mutable_launch()->mutable_task() = *task;
    launched(*task);
  } else {
    event.set_type(Event::LAUNCH_GROUP);
    const auto& group = std::get<TaskGroupInfo>(work);
    *event.mutable_launch_group()->mutable_task_group() = group;
    for (const TaskInfo& member : group.tasks()) launched(member);
  }
  actions_.emplace_back(UpdateContainer{executor.key, executor.share, executor.volumes});
  SendEvent(executor, std::move(event));
}

}  // namespace kiln::local
