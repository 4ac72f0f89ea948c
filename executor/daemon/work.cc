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
  // The agent fetches its URIs.
  if (task.has_command()) return CommandWorkOf(task.command());
  return Fail(ErrorCode::kInvalidArgument,
              "task {}: found {} bytes of data and no command, expected work that is known here",
              task.task_id().value(), task.data().size());
}

v1::Work CommandWorkOf(const mesos::v1::CommandInfo& command) {
  using Variable = mesos::v1::Environment::Variable;
  v1::Work work;
  v1::Command& bare = *work.mutable_command();
  bare.set_shell(command.shell());
  bare.set_value(command.value());
  *bare.mutable_arguments() = command.arguments();
  for (const Variable& variable : command.environment().variables()) {
    const bool secret = variable.type() == Variable::SECRET;
    (*bare.mutable_environment())[variable.name()] =
        secret ? variable.secret().value().data() : variable.value();
  }
  return work;
}

SchedulerApi ApiOf(const v1::Work& work) {
  SchedulerApi api{work.api_url(), work.api_token()};
  // Without files nothing can be wrong.
  if (!work.api_authority().empty()) {
    api.tls = *net::TlsContext::ForClients({.ca_pem = work.api_authority()});
  }
  return api;
}

std::string AuthorityFile(const std::string& sandbox) { return sandbox + "/.kiln-ca.pem"; }

int ThreadsOf(const mesos::v1::TaskInfo& task) {
  double cpus = 0;
  for (const auto& resource : task.resources()) {
    if (resource.name() == "cpus") cpus += resource.scalar().value();
  }
  return std::max(1, static_cast<int>(std::ceil(cpus)));
}

std::vector<std::string> GpusOf(const mesos::v1::TaskInfo& task, const v1::Work& work) {
  std::vector<std::string> gpus;
  if (!work.gpu().empty()) gpus.push_back(work.gpu());
  for (const auto& resource : task.resources()) {
    if (resource.name() != "nvidia_gpu") continue;
    gpus.insert(gpus.end(), resource.set().item().begin(), resource.set().item().end());
  }
  return gpus;
}

std::vector<int> PortsOf(const mesos::v1::TaskInfo& task) {
  std::vector<int> ports;
  for (const auto& resource : task.resources()) {
    if (resource.name() != "ports") continue;
    for (const auto& range : resource.ranges().range()) {
      for (uint64_t port = range.begin(); port <= range.end(); ++port) {
        ports.push_back(static_cast<int>(port));
      }
    }
  }
  return ports;
}

Surroundings SurroundingsOf(const mesos::v1::TaskInfo& task, const v1::Work& work,
                            const std::string& sandbox, const std::string& host) {
  Surroundings surroundings{.sandbox = sandbox, .environment = OwnEnvironment()};
  auto& environment = surroundings.environment;
  environment["MESOS_TASK_ID"] = task.task_id().value();
  environment["KILN_CHECKPOINT"] = sandbox + "/checkpoint";
  if (auto gpus = GpusOf(task, work); !gpus.empty()) {
    std::string names = fmt::format("{}", fmt::join(gpus, ","));
    environment["CUDA_VISIBLE_DEVICES"] = names;
    environment["NVIDIA_VISIBLE_DEVICES"] = names;
    environment["KILN_SICK_GPUS"] = sandbox + "/sick_gpus";
  }
  if (work.gpu_milli() > 0) {
    environment["KILN_GPU_SHARE"] = fmt::format("{}", work.gpu_milli() / 1000.0);
  }
  if (auto ports = PortsOf(task); !ports.empty()) {
    environment["HOST"] = host;
    environment["PORT"] = std::to_string(ports[0]);
    environment["PORTS"] = fmt::format("{}", fmt::join(ports, ","));
    for (size_t i = 0; i < ports.size(); ++i) {
      environment[fmt::format("PORT{}", i)] = std::to_string(ports[i]);
    }
  }
  if (!work.job().empty()) {
    environment["KILN_JOB"] = work.job();
    environment["KILN_GROUP"] = work.group();
    environment["KILN_INDEX"] = std::to_string(work.index());
    environment["KILN_COUNT"] = std::to_string(work.count());
    environment["KILN_API"] = work.api_url();
    if (!work.api_token().empty()) environment["KILN_TOKEN"] = work.api_token();
    if (!work.api_authority().empty()) environment["KILN_CA_FILE"] = AuthorityFile(sandbox);
  }
  for (const v1::Secret& secret : work.secrets()) {
    if (!secret.env().empty()) environment[secret.env()] = secret.value();
  }
  for (const auto& [name, value] : work.command().environment()) environment[name] = value;
  if (task.has_command() && task.resources_size() > 0) {
    environment["MESOS_ALLOCATION_ROLE"] = task.resources(0).allocation_info().role();
  }
  return surroundings;
}

WorkEnded EndOf(const std::string& task, const Error& error) {
  bool invalid =
      error.code == ErrorCode::kInvalidArgument || error.code == ErrorCode::kUnimplemented;
  return {.task = task, .message = error.message, .invalid = invalid};
}

}  // namespace kiln::executor
