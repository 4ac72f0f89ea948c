#include "executor/daemon/work.h"

#include <cmath>

#include "executor/daemon/runners.h"

namespace kiln::executor {
namespace {

const std::map<v1::Work::KindCase, Runner>& Runners() {
  static const std::map<v1::Work::KindCase, Runner> runners = {
      {v1::Work::kTrain, RunTrain},   {v1::Work::kMerge, RunMerge},
      {v1::Work::kServe, RunServe},   {v1::Work::kScore, RunScore},
      {v1::Work::kSearch, RunSearch}, {v1::Work::kCommand, RunCommand},
  };
  return runners;
}

}  // namespace

Runner FindRunner(v1::Work::KindCase kind) {
  auto found = Runners().find(kind);
  return found == Runners().end() ? nullptr : found->second;
}

Result<v1::Work> WorkOf(const mesos::v1::TaskInfo& task) {
  v1::Work work;
  bool whole = task.has_data() && work.ParseFromString(task.data());
  if (whole && work.kind_case() != v1::Work::KIND_NOT_SET) return work;
  if (task.has_command()) {
    work.Clear();
    v1::Command& command = *work.mutable_command();
    command.set_shell(task.command().shell());
    command.set_value(task.command().value());
    *command.mutable_arguments() = task.command().arguments();
    for (const auto& variable : task.command().environment().variables()) {
      (*command.mutable_environment())[variable.name()] = variable.value();
    }
    // Its URIs are fetched by the agent.
    return work;
  }
  return Fail(ErrorCode::kInvalidArgument,
              "task {}: found {} bytes of data and no command, expected work that is known here",
              task.task_id().value(), task.data().size());
}

int ThreadsOf(const mesos::v1::TaskInfo& task) {
  double cpus = 0;
  for (const auto& resource : task.resources()) {
    if (resource.name() == "cpus") cpus += resource.scalar().value();
  }
  return std::max(1, static_cast<int>(std::ceil(cpus)));
}

std::vector<std::string> GpusOf(const mesos::v1::TaskInfo& task) {
  std::vector<std::string> gpus;
  for (const auto& resource : task.resources()) {
    if (resource.name() != "nvidia_gpu") continue;
    gpus.insert(gpus.end(), resource.set().item().begin(), resource.set().item().end());
  }
  return gpus;
}

WorkEnded EndOf(const std::string& task, const Error& error) {
  bool invalid =
      error.code == ErrorCode::kInvalidArgument || error.code == ErrorCode::kUnimplemented;
  return {.task = task, .message = error.message, .invalid = invalid};
}

}  // namespace kiln::executor
