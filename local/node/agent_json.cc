#include "local/node/agent_json.h"

#include <stdlib.h>
#include <sys/sysinfo.h>

#include <algorithm>

#include "base/utf8.h"
#include "local/cluster/resources.h"
#include "wire/mesos/json.h"
#include "wire/rest/json.h"

namespace kiln::local {
namespace {

using mesos::v1::Task;
using wire::Json;

constexpr const char* kVersion = "1.12.0";
constexpr const char* kScalars[] = {"disk", "mem", "gpus", "cpus"};

// {"cpus":1.0,...,"ports":"[31000-31009]"}
Json ResourcesJson(const Resources& resources) {
  Json json = Json::object();
  for (const char* name : kScalars) json[name] = 0.0;
  for (const auto& [name, value] : ShownScalars(resources)) json[name] = value;
  for (const auto& resource : resources.items()) {
    if (resource.type() == mesos::v1::Value::SCALAR) continue;
    const std::string text = ToText(resource);
    json[resource.name()] = text.substr(text.find_first_of("[{"));
  }
  return json;
}

Json ScalarsJson(const Resources& resources) {
  Json json = Json::object();
  for (const char* name : kScalars) json[name] = resources.Quantity(name);
  return json;
}

Json StatusesJson(const Task& task) {
  Json list = Json::array();
  for (const auto& status : task.statuses()) {
    Json json = {{"state", mesos::v1::TaskState_Name(status.state())},
                 {"timestamp", status.timestamp()}};
    if (status.has_labels()) json["labels"] = Parsed(status.labels())["labels"];
    if (status.has_container_status()) {
      mesos::v1::ContainerStatus shown = status.container_status();
      shown.clear_executor_pid();
      json["container_status"] = Parsed(shown);
      // The endpoint's own order and choice of fields: with the protocol of each address.
      for (Json& network : json["container_status"]["network_infos"]) {
        for (Json& address : network["ip_addresses"]) address["protocol"] = "IPv4";
      }
    }
    if (status.has_healthy()) json["healthy"] = status.healthy();
    list.push_back(std::move(json));
  }
  return list;
}

std::string RoleOf(const ResourceList& resources) {
  return resources.empty() ? "" : resources[0].allocation_info().role();
}

Json TaskJson(const Task& task) {
  Json json = {{"id", task.task_id().value()},
               {"name", task.name()},
               {"framework_id", task.framework_id().value()},
               {"executor_id", task.executor_id().value()},
               {"slave_id", task.agent_id().value()},
               {"state", mesos::v1::TaskState_Name(task.state())},
               {"resources", ResourcesJson(Resources(task.resources()))},
               {"role", RoleOf(task.resources())},
               {"statuses", StatusesJson(task)}};
  if (task.has_labels()) json["labels"] = Parsed(task.labels())["labels"];
  return json;
}

Json ExecutorJson(const AgentView& view, const AgentFramework& framework,
                  const AgentExecutor& executor) {
  Resources resources;
  for (const auto& resource : executor.Resources()) resources += resource;
  Json json = {{"id", executor.info.executor_id().value()},
               {"name", executor.info.name()},
               {"source", executor.info.source()},
               {"container", executor.key.container_id},
               {"directory", view.folder + "/frameworks/" + framework.id() + "/executors/" +
                                 executor.key.executor_id + "/runs/" + executor.key.container_id},
               {"resources", ResourcesJson(resources)},
               {"role", RoleOf(executor.info.resources())}};
  if (executor.info.has_labels()) json["labels"] = Parsed(executor.info.labels())["labels"];
  if (executor.info.has_type()) {
    json["type"] = mesos::v1::ExecutorInfo::Type_Name(executor.info.type());
  }
  json["tasks"] = json["queued_tasks"] = json["completed_tasks"] = Json::array();
  for (const auto& [id, task] : executor.launched) json["tasks"].push_back(TaskJson(task));
  for (const auto& task : executor.QueuedTasks()) {
    json["queued_tasks"].push_back(
        TaskJson(TaskOf(task, mesos::v1::TASK_STAGING, framework.info.id())));
  }
  for (const auto& [id, task] : executor.terminated) {
    json["completed_tasks"].push_back(TaskJson(task));
  }
  for (const auto& task : executor.completed) json["completed_tasks"].push_back(TaskJson(task));
  return json;
}

Json FrameworkJson(const AgentView& view, const AgentFramework& framework) {
  Json json = {{"id", framework.id()},
               {"name", framework.info.name()},
               {"user", framework.info.user()},
               {"failover_timeout", framework.info.failover_timeout()},
               {"checkpoint", framework.info.checkpoint()},
               {"hostname", framework.info.hostname()}};
  if (framework.info.has_principal()) json["principal"] = framework.info.principal();
  if (framework.info.roles_size() > 0) {
    json["roles"] =
        std::vector<std::string>(framework.info.roles().begin(), framework.info.roles().end());
  } else {
    json["role"] = framework.info.role();
  }
  json["executors"] = json["completed_executors"] = Json::array();
  for (const auto& [id, executor] : framework.executors) {
    json["executors"].push_back(ExecutorJson(view, framework, executor));
  }
  for (const auto& executor : framework.completed) {
    json["completed_executors"].push_back(ExecutorJson(view, framework, executor));
  }
  return json;
}

Resources Used(const Agent& agent) {
  Resources used;
  for (const auto& [id, framework] : agent.frameworks()) {
    for (const auto& [executor_id, executor] : framework.executors) {
      if (executor.state == ExecutorState::kTerminated) continue;
      for (const auto& resource : executor.Resources()) used += resource;
    }
  }
  return used;
}

Json ResourceListJson(const ResourceList& resources) {
  Json list = Json::array();
  for (mesos::v1::Resource resource : resources) {
    ToEndpointFormat(&resource);
    list.push_back(Parsed(resource));
  }
  return list;
}

Json AttributesJson(const mesos::v1::AgentInfo& info) {
  Json json = Json::object();
  for (const auto& attribute : info.attributes()) {
    json[attribute.name()] =
        attribute.has_scalar() ? Json(attribute.scalar().value()) : Json(attribute.text().value());
  }
  return json;
}

}  // namespace

std::string AgentVersionJson(Instant started) {
  return wire::DumpJson(Json{{"build_date", "1970-01-01 00:00:00"},
                             {"build_time", started.Seconds()},
                             {"build_user", "kiln"},
                             {"version", kVersion}});
}

std::string AgentFlagsJson(const std::map<std::string, std::string>& flags) {
  return wire::DumpJson(Json{{"flags", flags}});
}

Json Parsed(const google::protobuf::Message& message) {
  return Json::parse(ToUtf8(wire::ToJson(message)), nullptr, false);
}

std::string AgentStateJson(const AgentView& view) {
  const Agent& agent = *view.agent;
  const auto& info = agent.info();
  const Resources total(info.resources());
  Json json = {
      {"version", kVersion},
      {"build_date", "1970-01-01 00:00:00"},
      {"build_time", view.started.Seconds()},
      {"build_user", "kiln"},
      {"start_time", view.started.Seconds()},
      {"id", info.id().value()},
      {"pid", agent.options().pid},
      {"hostname", info.hostname()},
      {"capabilities",
       {"AGENT_OPERATION_FEEDBACK", "HIERARCHICAL_ROLE", "MULTI_ROLE", "RESERVATION_REFINEMENT",
        "RESIZE_VOLUME", "RESOURCE_PROVIDER", "AGENT_DRAINING", "TASK_RESOURCE_LIMITS"}},
      {"resources", ResourcesJson(total)},
      {"reserved_resources", Json::object()},
      {"unreserved_resources", ResourcesJson(total)},
      {"reserved_resources_full", Json::object()},
      {"unreserved_resources_full", ResourceListJson(info.resources())},
      {"reserved_resources_allocated", Json::object()},
      {"unreserved_resources_allocated", ScalarsJson(Used(agent))},
      {"resource_providers", Json::array()},
      {"attributes", AttributesJson(info)},
      {"master_hostname", info.hostname()},
      {"flags", *view.flags},
      {"frameworks", Json::array()},
      {"completed_frameworks", Json::array()}};
  for (const auto& [id, framework] : agent.frameworks()) {
    json["frameworks"].push_back(FrameworkJson(view, framework));
  }
  for (const auto& framework : agent.completed_frameworks()) {
    json["completed_frameworks"].push_back(FrameworkJson(view, framework));
  }
  return wire::DumpJson(json);
}

std::string AgentContainersJson(const AgentView& view,
                                const mesos::v1::agent::Response::GetContainers& containers,
                                bool statistics_only) {
  Json list = Json::array();
  for (const auto& container : containers.containers()) {
    Json json = Json::object();
    if (!statistics_only) json["container_id"] = container.container_id().value();
    json["executor_id"] = container.executor_id().value();
    json["executor_name"] = container.executor_name();
    json["framework_id"] = container.framework_id().value();
    const auto& framework = view.agent->frameworks().at(container.framework_id().value());
    json["source"] = framework.executors.at(container.executor_id().value()).info.source();
    if (container.has_resource_statistics()) {
      json["statistics"] = Parsed(container.resource_statistics());
    }
    if (!statistics_only) json["status"] = Parsed(container.container_status());
    list.push_back(std::move(json));
  }
  return wire::DumpJson(list);
}

namespace {

void AddResources(const Agent& agent, std::map<std::string, double>& metrics) {
  const Resources total(agent.info().resources());
  const Resources used = Used(agent);
  for (const char* name : kScalars) {
    AddUse(metrics, std::string("slave/") + name, total.NonRevocable().Quantity(name),
           used.NonRevocable().Quantity(name));
    AddUse(metrics, fmt::format("slave/{}_revocable", name), total.Revocable().Quantity(name),
           used.Revocable().Quantity(name));
  }
}

void AddStates(const Agent& agent, std::map<std::string, double>& metrics) {
  for (const char* state : {"registering", "running", "terminating"}) {
    metrics[std::string("slave/executors_") + state] = 0;
  }
  for (const char* state : {"staging", "starting", "running", "killing"}) {
    metrics[std::string("slave/tasks_") + state] = 0;
  }
  for (const auto& [id, framework] : agent.frameworks()) {
    for (const auto& [executor_id, executor] : framework.executors) {
      switch (executor.state) {
        case ExecutorState::kRegistering:
          ++metrics["slave/executors_registering"];
          break;
        case ExecutorState::kRunning:
          ++metrics["slave/executors_running"];
          break;
        case ExecutorState::kTerminating:
          ++metrics["slave/executors_terminating"];
          break;
        case ExecutorState::kTerminated:
          break;
      }
      metrics["slave/tasks_staging"] += static_cast<double>(executor.QueuedTasks().size());
      for (const auto& [task_id, task] : executor.launched) {
        std::string state = mesos::v1::TaskState_Name(task.state()).substr(5);
        std::transform(state.begin(), state.end(), state.begin(),
                       [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
        ++metrics["slave/tasks_" + state];
      }
    }
  }
}

void AddCounts(const AgentCounts& counts, std::map<std::string, double>& metrics) {
  metrics["slave/tasks_finished"] = counts.tasks_finished;
  metrics["slave/tasks_failed"] = counts.tasks_failed;
  metrics["slave/tasks_killed"] = counts.tasks_killed;
  metrics["slave/tasks_lost"] = counts.tasks_lost;
  metrics["slave/tasks_gone"] = counts.tasks_gone;
  metrics["slave/valid_status_updates"] = counts.valid_status_updates;
  metrics["slave/invalid_status_updates"] = counts.invalid_status_updates;
  metrics["slave/valid_framework_messages"] = counts.valid_framework_messages;
  metrics["slave/invalid_framework_messages"] = counts.invalid_framework_messages;
  metrics["slave/container_launch_errors"] = counts.container_launch_errors;
  metrics["slave/executors_preempted"] = counts.executors_preempted;
  metrics["slave/executors_terminated"] = counts.executors_terminated;
}

void AddSystem(std::map<std::string, double>& metrics) {
  struct sysinfo info {};
  double load[3] = {0, 0, 0};
  if (sysinfo(&info) != 0 || getloadavg(load, 3) != 3) return;
  metrics["system/cpus_total"] = get_nprocs();
  metrics["system/load_1min"] = load[0];
  metrics["system/load_5min"] = load[1];
  metrics["system/load_15min"] = load[2];
  metrics["system/mem_free_bytes"] =
      static_cast<double>(info.freeram) * static_cast<double>(info.mem_unit);
  metrics["system/mem_total_bytes"] =
      static_cast<double>(info.totalram) * static_cast<double>(info.mem_unit);
}

}  // namespace

void AddUse(std::map<std::string, double>& metrics, const std::string& name, double total,
            double used) {
  metrics[name + "_total"] = total;
  metrics[name + "_used"] = used;
  metrics[name + "_percent"] = total > 0 ? used / total : 0;
}

std::map<std::string, double> AgentMetrics(const AgentView& view) {
  const Agent& agent = *view.agent;
  // What a Mesos agent counts and this one has nothing of.
  std::map<std::string, double> metrics;
  for (const char* name :
       {"containerizer/fetcher/cache_size_total_bytes",
        "containerizer/fetcher/cache_size_used_bytes", "containerizer/fetcher/task_fetches_failed",
        "containerizer/fetcher/task_fetches_succeeded",
        "containerizer/mesos/container_destroy_errors",
        "containerizer/mesos/provisioner/bind/remove_rootfs_errors",
        "containerizer/mesos/provisioner/remove_container_errors", "gc/path_removals_failed",
        "gc/path_removals_pending", "gc/path_removals_succeeded",
        "resource_provider_manager/events/disconnect", "resource_provider_manager/events/subscribe",
        "resource_provider_manager/subscribed", "slave/executor_directory_max_allowed_age_secs",
        "slave/recovery_errors", "slave/recovery_time_secs"}) {
    metrics[name] = 0;
  }
  AddResources(agent, metrics);
  AddStates(agent, metrics);
  AddCounts(agent.counts(), metrics);
  AddSystem(metrics);
  metrics["slave/frameworks_active"] = static_cast<double>(agent.frameworks().size());
  metrics["slave/registered"] = agent.phase() == AgentPhase::kRegistered ? 1 : 0;
  metrics["slave/uptime_secs"] = ToSeconds(view.now - view.started);
  return metrics;
}

}  // namespace kiln::local
