#include "local/cluster/agent_state.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <ranges>
#include <utility>

#include "local/cluster/operations.h"

namespace kiln::local {

using mesos::v1::Task;
using mesos::v1::TaskGroupInfo;
using mesos::v1::TaskInfo;
using mesos::v1::TaskStatus;

namespace {

// What a command executor is given beside its task.
constexpr double kExecutorCpus = 0.1;
constexpr double kExecutorMem = 32;
// Mesos shows the start of a command that is longer than kShownMax.
constexpr size_t kShownMax = 15;
constexpr size_t kShown = 12;

std::string Shown(const std::string& text) {
  return text.size() > kShownMax ? text.substr(0, kShown) + "..." : text;
}

std::string CommandText(const mesos::v1::CommandInfo& command) {
  if (command.shell()) {
    if (!command.has_value()) return "(Command: NO COMMAND)";
    return "(Command: sh -c '" + Shown(command.value()) + "')";
  }
  if (!command.has_value()) return "(Command: NO EXECUTABLE)";
  std::string arguments;
  for (const std::string& argument : command.arguments()) {
    if (!arguments.empty()) arguments += ", ";
    arguments += argument;
  }
  return "(Command: [" + command.value() + ", " + Shown(arguments) + "])";
}

mesos::v1::Resource Scalar(const char* name, double value, const std::string& role) {
  mesos::v1::Resource resource;
  resource.set_name(name);
  resource.set_type(mesos::v1::Value::SCALAR);
  resource.mutable_scalar()->set_value(value);
  if (!role.empty()) resource.mutable_allocation_info()->set_role(role);
  return resource;
}

ContainerShare ShareOf(const google::protobuf::RepeatedPtrField<mesos::v1::Resource>& resources) {
  ContainerShare share;
  for (const auto& resource : resources) {
    const int64_t amount = std::llround(resource.scalar().value() * 1000);
    if (resource.name() == "cpus") {
      (resource.has_revocable() ? share.milli_revocable_cpus : share.milli_cpus) += amount;
    }
    if (resource.name() == "mem") share.milli_mem += amount;
  }
  return share;
}

std::vector<TaskInfo> TasksOf(const QueuedWork& work) {
  if (const auto* task = std::get_if<TaskInfo>(&work)) return {*task};
  const auto& group = std::get<TaskGroupInfo>(work);
  return {group.tasks().begin(), group.tasks().end()};
}

bool Holds(const QueuedWork& work, const std::string& task_id) {
  const auto tasks = TasksOf(work);
  return std::any_of(tasks.begin(), tasks.end(),
                     [&](const TaskInfo& task) { return task.task_id().value() == task_id; });
}

}  // namespace

bool AgentExecutor::EverSentTask() const {
  const auto told = [](const Task& task) {
    return std::ranges::any_of(task.statuses(), [](const auto& status) {
      return status.source() == mesos::v1::TaskStatus::SOURCE_EXECUTOR;
    });
  };
  return !launched.empty() || std::ranges::any_of(terminated | std::views::values, told) ||
         std::ranges::any_of(completed, told);
}

const TaskInfo* AgentExecutor::FindQueued(const std::string& task_id) const {
  for (const QueuedWork& work : queued) {
    if (const auto* task = std::get_if<TaskInfo>(&work)) {
      if (task->task_id().value() == task_id) return task;
    } else {
      for (const TaskInfo& member : std::get<TaskGroupInfo>(work).tasks()) {
        if (member.task_id().value() == task_id) return &member;
      }
    }
  }
  return nullptr;
}

std::vector<TaskInfo> AgentExecutor::QueuedWith(const std::string& task_id) const {
  for (const QueuedWork& work : queued) {
    if (Holds(work, task_id)) return TasksOf(work);
  }
  return {};
}

void AgentExecutor::Unqueue(const std::string& task_id) {
  for (auto it = queued.begin(); it != queued.end(); ++it) {
    if (!Holds(*it, task_id)) continue;
    auto* group = std::get_if<TaskGroupInfo>(&*it);
    if (group != nullptr && group->tasks_size() > 1) {
      auto* tasks = group->mutable_tasks();
      for (int i = 0; i < tasks->size(); ++i) {
        if (tasks->Get(i).task_id().value() != task_id) continue;
        tasks->DeleteSubrange(i, 1);
        break;
      }
    } else {
      queued.erase(it);
    }
    return;
  }
}

std::vector<TaskInfo> AgentExecutor::QueuedTasks() const {
  std::vector<TaskInfo> all;
  for (const QueuedWork& work : queued) {
    for (TaskInfo& task : TasksOf(work)) all.push_back(std::move(task));
  }
  return all;
}

std::vector<mesos::v1::Resource> AgentExecutor::Resources() const {
  std::vector<mesos::v1::Resource> all(info.resources().begin(), info.resources().end());
  const auto add = [&all](const auto& of) {
    all.insert(all.end(), of.resources().begin(), of.resources().end());
  };
  for (const TaskInfo& task : QueuedTasks()) add(task);
  for (const auto& [id, task] : launched) add(task);
  return all;
}

void AgentExecutor::Take(const google::protobuf::RepeatedPtrField<mesos::v1::Resource>& resources) {
  share += ShareOf(resources);
  std::copy_if(resources.begin(), resources.end(), std::back_inserter(volumes), IsVolume);
}

void AgentExecutor::Return(
    const google::protobuf::RepeatedPtrField<mesos::v1::Resource>& resources) {
  share -= ShareOf(resources);
  for (const auto& resource : resources) {
    if (!IsVolume(resource)) continue;
    const auto is_it = [&](const auto& volume) {
      return volume.disk().persistence().id() == resource.disk().persistence().id();
    };
    const auto found = std::find_if(volumes.begin(), volumes.end(), is_it);
    if (found != volumes.end()) volumes.erase(found);
  }
}

bool AgentFramework::PartitionAware() const {
  return std::any_of(info.capabilities().begin(), info.capabilities().end(), [](const auto& it) {
    return it.type() == mesos::v1::FrameworkInfo::Capability::PARTITION_AWARE;
  });
}

AgentExecutor* AgentFramework::ExecutorOf(const std::string& task_id) {
  auto executor_id = executor_of_task.find(task_id);
  if (executor_id == executor_of_task.end()) return nullptr;
  auto executor = executors.find(executor_id->second);
  return executor == executors.end() ? nullptr : &executor->second;
}

Task TaskOf(const TaskInfo& info, mesos::v1::TaskState state,
            const mesos::v1::FrameworkID& framework_id) {
  Task task;
  task.set_name(info.name());
  *task.mutable_task_id() = info.task_id();
  *task.mutable_framework_id() = framework_id;
  *task.mutable_agent_id() = info.agent_id();
  task.set_state(state);
  *task.mutable_resources() = info.resources();
  if (info.has_executor()) *task.mutable_executor_id() = info.executor().executor_id();
  if (info.has_labels()) *task.mutable_labels() = info.labels();
  if (info.has_discovery()) *task.mutable_discovery() = info.discovery();
  if (info.has_container()) *task.mutable_container() = info.container();
  if (info.has_health_check()) *task.mutable_health_check() = info.health_check();
  if (info.has_kill_policy()) *task.mutable_kill_policy() = info.kill_policy();
  *task.mutable_limits() = info.limits();
  const auto& command = info.has_command() ? info.command() : info.executor().command();
  if (command.has_user()) task.set_user(command.user());
  return task;
}

mesos::v1::ExecutorInfo CommandExecutor(const mesos::v1::FrameworkInfo& framework,
                                        const TaskInfo& task, const std::string& program) {
  mesos::v1::ExecutorInfo executor;
  executor.mutable_executor_id()->set_value(task.task_id().value());
  *executor.mutable_framework_id() = framework.id();
  executor.set_name("Command Executor (Task: " + task.task_id().value() + ") " +
                    CommandText(task.command()));
  executor.set_source(task.task_id().value());
  if (task.has_container()) *executor.mutable_container() = task.container();
  if (task.has_discovery()) *executor.mutable_discovery() = task.discovery();
  if (task.has_labels()) *executor.mutable_labels() = task.labels();
  auto* command = executor.mutable_command();
  *command->mutable_uris() = task.command().uris();
  if (task.command().has_environment()) {
    *command->mutable_environment() = task.command().environment();
  }
  if (task.command().has_user()) command->set_user(task.command().user());
  const size_t slash = program.rfind('/');
  command->set_shell(false);
  command->set_value(program);
  command->add_arguments(slash == std::string::npos ? program : program.substr(slash + 1));
  command->add_arguments("--launcher_dir=" +
                         (slash == std::string::npos ? "." : program.substr(0, slash)));
  const std::string role =
      task.resources_size() > 0 ? task.resources(0).allocation_info().role() : "";
  *executor.add_resources() = Scalar("cpus", kExecutorCpus, role);
  *executor.add_resources() = Scalar("mem", kExecutorMem, role);
  return executor;
}

void Note(Task& task, const TaskStatus& status) {
  task.set_state(status.state());
  const int last = task.statuses_size() - 1;
  TaskStatus* kept = last >= 0 && task.statuses(last).state() == status.state()
                         ? task.mutable_statuses(last)
                         : task.add_statuses();
  *kept = status;
  kept->clear_data();
}

std::string DurationText(Duration duration) {
  static constexpr std::pair<int64_t, const char*> kUnits[] = {{604'800'000'000'000, "weeks"},
                                                               {86'400'000'000'000, "days"},
                                                               {3'600'000'000'000, "hrs"},
                                                               {60'000'000'000, "mins"},
                                                               {1'000'000'000, "secs"},
                                                               {1'000'000, "ms"},
                                                               {1'000, "us"}};
  for (const auto& [size, name] : kUnits) {
    if (duration.count() != 0 && duration.count() % size == 0) {
      return std::to_string(duration.count() / size) + name;
    }
  }
  return std::to_string(duration.count()) + "ns";
}

}  // namespace kiln::local
