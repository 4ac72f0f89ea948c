#include "local/node/master_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <functional>
#include <set>

#include "local/cluster/agent_updates.h"
#include "local/cluster/master.h"
#include "local/cluster/master_views.h"
#include "local/cluster/validation.h"
#include "local/node/agent_json.h"
#include "wire/mesos/json.h"
#include "wire/rest/json.h"

namespace kiln::local {

using mesos::v1::Task;
using mesos::v1::TaskState;
using wire::Json;

namespace {

// Ranges and sets as the text of their items.
std::string ItemsText(const mesos::v1::Resource& resource) {
  const std::string text = ToText(resource);
  return text.substr(text.find(':', text.rfind(')') == std::string::npos ? 0 : text.rfind(')')) +
                     1);
}

// {"cpus": 4.0, "ports": "[31000-31009]"}: the standard names are always there.
Json Amounts(const Resources& resources) {
  Json json{{"disk", 0.0}, {"mem", 0.0}, {"gpus", 0.0}, {"cpus", 0.0}};
  for (const auto& [name, value] : ShownScalars(resources)) json[name] = value;
  for (const auto& item : resources.items()) {
    if (item.type() != mesos::v1::Value::SCALAR) json[item.name()] = ItemsText(item);
  }
  return json;
}

Json FullList(const Resources& resources) {
  Json list = Json::array();
  for (const auto& resource : EndpointList(resources)) list.push_back(Parsed(resource));
  return list;
}

Resources Unreserved(const Resources& resources) {
  return resources.Where([](const auto& item) { return item.reservations_size() == 0; });
}

Json ByRole(const Resources& resources, bool full) {
  std::map<std::string, Resources> reserved;
  for (const auto& item : resources.items()) {
    if (item.reservations_size() == 0) continue;
    reserved[item.reservations(item.reservations_size() - 1).role()] += item;
  }
  Json json = Json::object();
  for (const auto& [role, of_role] : reserved) {
    json[role] = full ? FullList(of_role) : Amounts(of_role);
  }
  return json;
}

Json AttributesOf(const mesos::v1::AgentInfo& info) {
  Json json = Json::object();
  for (const auto& attribute : info.attributes()) {
    switch (attribute.type()) {
      case mesos::v1::Value::SCALAR:
        json[attribute.name()] = attribute.scalar().value();
        break;
      case mesos::v1::Value::RANGES: {
        mesos::v1::Resource resource;
        resource.set_type(mesos::v1::Value::RANGES);
        *resource.mutable_ranges() = attribute.ranges();
        json[attribute.name()] = ItemsText(resource);
        break;
      }
      case mesos::v1::Value::TEXT:
        json[attribute.name()] = attribute.text().value();
        break;
      case mesos::v1::Value::SET:
        break;
    }
  }
  return json;
}

Json AgentJson(const Master& master, const MasterAgent& agent) {
  Json json{{"id", agent.id()},          {"hostname", agent.info.hostname()},
            {"port", agent.info.port()}, {"attributes", AttributesOf(agent.info)},
            {"pid", agent.pid},          {"registered_time", agent.registered.Seconds()}};
  if (agent.reregistered) json["reregistered_time"] = agent.reregistered->Seconds();
  json["resources"] = Amounts(agent.total);
  json["used_resources"] = Amounts(master.UsedAt(agent));
  json["offered_resources"] = Amounts(master.OfferedAt(agent));
  json["reserved_resources"] = ByRole(agent.total, false);
  json["unreserved_resources"] = Amounts(Unreserved(agent.total));
  json["active"] = agent.active();
  json["deactivated"] = agent.deactivated;
  json["version"] = agent.version;
  json["capabilities"] = Json::array();
  for (const auto& capability : agent.capabilities) {
    json["capabilities"].push_back(mesos::v1::AgentInfo::Capability::Type_Name(capability.type()));
  }
  const auto& draining = master.registry().draining;
  if (auto drain = draining.find(agent.id()); drain != draining.end()) {
    json["drain_info"] = Parsed(drain->second);
    if (agent.drain_start) {
      json["estimated_drain_start_time_seconds"] = agent.drain_start->Seconds();
    }
  }
  return json;
}

Json StatusJson(const mesos::v1::TaskStatus& status) {
  Json json{{"state", TaskState_Name(status.state())}, {"timestamp", status.timestamp()}};
  if (status.has_labels()) json["labels"] = Parsed(status.labels())["labels"];
  if (status.has_container_status()) {
    json["container_status"] = Parsed(status.container_status());
    json["container_status"].erase("executor_pid");
  }
  if (status.has_healthy()) json["healthy"] = status.healthy();
  return json;
}

Json TaskJson(const Task& task) {
  const Resources resources(task.resources());
  Json json{{"id", task.task_id().value()},
            {"name", task.name()},
            {"framework_id", task.framework_id().value()},
            {"executor_id", task.executor_id().value()},
            {"slave_id", task.agent_id().value()},
            {"state", TaskState_Name(task.state())},
            {"resources", Amounts(resources)}};
  if (task.resources_size() > 0) json["role"] = task.resources(0).allocation_info().role();
  json["statuses"] = Json::array();
  for (const auto& status : task.statuses()) json["statuses"].push_back(StatusJson(status));
  if (task.has_labels()) json["labels"] = Parsed(task.labels())["labels"];
  if (task.has_discovery()) json["discovery"] = Parsed(task.discovery());
  if (task.has_container()) json["container"] = Parsed(task.container());
  return json;
}

Json FrameworkSummary(const Master& master, const MasterFramework& framework) {
  Json json{{"id", framework.id()},
            {"name", framework.info.name()},
            {"used_resources", Amounts(master.UsedBy(framework))},
            {"offered_resources", Amounts(master.OfferedTo(framework))},
            {"capabilities", Json::array()},
            {"hostname", framework.info.hostname()},
            {"webui_url", framework.info.webui_url()},
            {"active", framework.connected},
            {"connected", framework.connected},
            {"recovered", framework.recovered}};
  for (const auto& capability : framework.info.capabilities()) {
    json["capabilities"].push_back(
        mesos::v1::FrameworkInfo::Capability::Type_Name(capability.type()));
  }
  return json;
}

Json ExecutorJson(const mesos::v1::ExecutorInfo& executor, const MasterAgent& agent) {
  return {{"executor_id", executor.executor_id().value()},
          {"name", executor.name()},
          {"framework_id", executor.framework_id().value()},
          {"command", Parsed(executor.command())},
          {"resources", Amounts(Resources(executor.resources()))},
          {"source", executor.source()},
          {"slave_id", agent.id()}};
}

Json FrameworkJson(const Master& master, const MasterFramework& framework) {
  Json json = FrameworkSummary(master, framework);
  const auto& info = framework.info;
  json["user"] = info.user();
  json["failover_timeout"] = info.failover_timeout();
  json["checkpoint"] = info.checkpoint();
  json["registered_time"] = framework.registered.Seconds();
  json["unregistered_time"] = framework.unregistered.value_or(Instant{}).Seconds();
  if (info.has_principal()) json["principal"] = info.principal();
  json["resources"] = Amounts(master.UsedBy(framework) + master.OfferedTo(framework));
  if (HasCapability(info, mesos::v1::FrameworkInfo::Capability::MULTI_ROLE)) {
    json["roles"] = RolesOf(info);
  } else {
    json["role"] = info.role();
  }
  for (const char* list :
       {"tasks", "unreachable_tasks", "completed_tasks", "offers", "executors"}) {
    json[list] = Json::array();
  }
  for (const auto& [id, task] : framework.tasks) json["tasks"].push_back(TaskJson(task));
  for (const auto& [id, task] : framework.unreachable) {
    json["unreachable_tasks"].push_back(TaskJson(task));
  }
  for (const Task& task : framework.completed) json["completed_tasks"].push_back(TaskJson(task));
  for (const std::string& id : framework.offers) {
    const MasterOffer& offer = master.offers().at(id);
    json["offers"].push_back({{"id", id},
                              {"framework_id", framework.id()},
                              {"allocation_info", {{"role", offer.role()}}},
                              {"slave_id", offer.wire.agent_id().value()},
                              {"resources", Amounts(Resources(offer.wire.resources()))}});
  }
  for (const auto& [agent_id, agent] : master.agents()) {
    for (const auto& [key, executor] : agent.executors) {
      if (key.first == framework.id()) json["executors"].push_back(ExecutorJson(executor, agent));
    }
  }
  if (info.has_labels()) json["labels"] = Parsed(info.labels())["labels"];
  json["offer_constraints"] = Parsed(framework.constraints.wire());
  return json;
}

// How many tasks are in each state, as a summary tells it.
void AddCounts(Json& json, const std::vector<const Task*>& tasks) {
  for (TaskState state :
       {mesos::v1::TASK_STAGING, mesos::v1::TASK_STARTING, mesos::v1::TASK_RUNNING,
        mesos::v1::TASK_KILLING, mesos::v1::TASK_FINISHED, mesos::v1::TASK_KILLED,
        mesos::v1::TASK_FAILED, mesos::v1::TASK_LOST, mesos::v1::TASK_ERROR,
        mesos::v1::TASK_UNREACHABLE}) {
    json[TaskState_Name(state)] = std::count_if(
        tasks.begin(), tasks.end(), [&](const Task* task) { return task->state() == state; });
  }
}

std::vector<const Task*> AllTasks(const MasterFramework& framework) {
  std::vector<const Task*> all;
  for (const auto& [id, task] : framework.tasks) all.push_back(&task);
  for (const auto& [id, task] : framework.unreachable) all.push_back(&task);
  for (const Task& task : framework.completed) all.push_back(&task);
  return all;
}

Json VersionOf(const std::string& version) {
  const mesos::v1::master::Response response = VersionView(version);
  return Parsed(response.get_version().version_info());
}

Json FrameworkLists(const Master& master, const std::optional<std::string>& wanted = {}) {
  Json json{{"frameworks", Json::array()},
            {"completed_frameworks", Json::array()},
            {"unregistered_frameworks", Json::array()}};
  for (const auto& [id, framework] : master.frameworks()) {
    if (wanted && *wanted != id) continue;
    json["frameworks"].push_back(FrameworkJson(master, framework));
  }
  for (const MasterFramework& framework : master.completed_frameworks()) {
    if (wanted && *wanted != framework.id()) continue;
    json["completed_frameworks"].push_back(FrameworkJson(master, framework));
  }
  return json;
}

}  // namespace

mesos::v1::master::Response VersionView(const std::string& version) {
  mesos::v1::master::Response response;
  response.set_type(mesos::v1::master::Response::GET_VERSION);
  auto* info = response.mutable_get_version()->mutable_version_info();
  info->set_version(version);
  // Mesos has them from its build. Kiln builds the same from the same source, so it tells none.
  info->set_build_date("");
  info->set_build_time(0);
  info->set_build_user("kiln");
  return response;
}

std::string VersionJson(const std::string& version) { return wire::DumpJson(VersionOf(version)); }

std::string FlagsJson(const MasterFlags& flags) {
  return wire::DumpJson(Json{{"flags", flags.shown}});
}

mesos::v1::master::Response FlagsView(const MasterFlags& flags) {
  mesos::v1::master::Response response;
  response.set_type(mesos::v1::master::Response::GET_FLAGS);
  for (const auto& [name, value] : flags.shown) {
    auto* flag = response.mutable_get_flags()->add_flags();
    flag->set_name(name);
    flag->set_value(value);
  }
  return response;
}

std::string StateJson(const Master& master, const MasterFlags& flags) {
  Json json = VersionOf(master.options().version);
  const mesos::v1::MasterInfo& info = master.info();
  json["start_time"] = master.started().Seconds();
  json["elected_time"] = master.started().Seconds();
  json["id"] = info.id();
  json["pid"] = info.pid();
  json["hostname"] = info.hostname();
  json["capabilities"] = Json::array();
  for (const auto& capability : info.capabilities()) {
    json["capabilities"].push_back(mesos::v1::MasterInfo::Capability::Type_Name(capability.type()));
  }
  int active = 0;
  json["slaves"] = Json::array();
  for (const auto& [id, agent] : master.agents()) {
    if (agent.active()) ++active;
    json["slaves"].push_back(AgentJson(master, agent));
  }
  json["activated_slaves"] = active;
  json["deactivated_slaves"] = static_cast<int>(master.agents().size()) - active;
  json["unreachable_slaves"] = master.registry().unreachable.size();
  json["leader"] = info.pid();
  json["leader_info"] = {
      {"id", info.id()}, {"pid", info.pid()}, {"port", info.port()}, {"hostname", info.hostname()}};
  json["flags"] = flags.shown;
  json["recovered_slaves"] = Json::array();
  for (const auto& [id, agent] : master.recovered()) {
    json["recovered_slaves"].push_back({{"id", id}, {"hostname", agent.hostname()}});
  }
  json.update(FrameworkLists(master));
  json["orphan_tasks"] = Json::array();
  return wire::DumpJson(json);
}

std::string SummaryJson(const Master& master) {
  Json json{{"hostname", master.info().hostname()},
            {"slaves", Json::array()},
            {"frameworks", Json::array()}};
  std::map<std::string, std::vector<const Task*>> at_agent;
  std::map<std::string, std::set<std::string>> frameworks_at;
  std::map<std::string, std::set<std::string>> agents_of;
  for (const auto& [id, framework] : master.frameworks()) {
    for (const Task* task : AllTasks(framework)) {
      at_agent[task->agent_id().value()].push_back(task);
      frameworks_at[task->agent_id().value()].insert(id);
      agents_of[id].insert(task->agent_id().value());
    }
  }
  for (const auto& [id, agent] : master.agents()) {
    Json entry = AgentJson(master, agent);
    AddCounts(entry, at_agent[id]);
    entry["framework_ids"] = frameworks_at[id];
    json["slaves"].push_back(std::move(entry));
  }
  for (const auto& [id, framework] : master.frameworks()) {
    Json entry = FrameworkSummary(master, framework);
    AddCounts(entry, AllTasks(framework));
    entry["slave_ids"] = agents_of[id];
    json["frameworks"].push_back(std::move(entry));
  }
  return wire::DumpJson(json);
}

std::string AgentsJson(const Master& master, const net::Request& request) {
  const auto wanted = request.Query("slave_id");
  Json json{{"slaves", Json::array()}, {"recovered_slaves", Json::array()}};
  for (const auto& [id, agent] : master.agents()) {
    if (wanted && *wanted != id) continue;
    Json entry = AgentJson(master, agent);
    entry["reserved_resources_full"] = ByRole(agent.total, true);
    entry["unreserved_resources_full"] = FullList(Unreserved(agent.total));
    entry["used_resources_full"] = FullList(master.UsedAt(agent));
    entry["offered_resources_full"] = FullList(master.OfferedAt(agent));
    json["slaves"].push_back(std::move(entry));
  }
  for (const auto& [id, agent] : master.recovered()) {
    if (wanted && *wanted != id) continue;
    json["recovered_slaves"].push_back({{"id", id}, {"hostname", agent.hostname()}});
  }
  return wire::DumpJson(json);
}

std::string FrameworksJson(const Master& master, const net::Request& request) {
  return wire::DumpJson(FrameworkLists(master, request.Query("framework_id")));
}

std::string TasksJson(const Master& master, const net::Request& request) {
  const auto number = [&](const char* name, size_t usual) {
    const std::string text = request.Query(name).value_or("");
    std::from_chars(text.data(), text.data() + text.size(), usual);
    return usual;
  };
  const auto framework_id = request.Query("framework_id");
  const auto task_id = request.Query("task_id");
  std::vector<const Task*> tasks;
  const auto collect = [&](const MasterFramework& framework) {
    if (framework_id && *framework_id != framework.id()) return;
    for (const Task* task : AllTasks(framework)) {
      if (!task_id || *task_id == task->task_id().value()) tasks.push_back(task);
    }
  };
  for (const auto& [id, framework] : master.frameworks()) collect(framework);
  for (const MasterFramework& framework : master.completed_frameworks()) collect(framework);
  const auto first = [](const Task* task) {
    return task->statuses_size() > 0 ? task->statuses(0).timestamp() : 0.0;
  };
  std::ranges::stable_sort(tasks, std::greater(), first);
  if (request.Query("order") == "asc") std::ranges::reverse(tasks);
  const size_t begin = std::min(number("offset", 0), tasks.size());
  const size_t end = begin + std::min(number("limit", 100), tasks.size() - begin);
  Json json{{"tasks", Json::array()}};
  for (size_t i = begin; i < end; ++i) json["tasks"].push_back(TaskJson(*tasks[i]));
  return wire::DumpJson(json);
}

std::string RolesJson(const Master& master) {
  std::map<std::string, std::set<std::string>> roles;
  std::map<std::string, Resources> used;
  std::map<std::string, Resources> offered;
  std::map<std::string, Resources> reserved;
  for (const auto& [id, framework] : master.frameworks()) {
    for (const std::string& role : RolesOf(framework.info)) roles[role].insert(id);
    const Resources of_framework = master.UsedBy(framework);
    for (const auto& item : of_framework.items()) used[item.allocation_info().role()] += item;
    const Resources open = master.OfferedTo(framework);
    for (const auto& item : open.items()) offered[item.allocation_info().role()] += item;
  }
  for (const auto& [id, agent] : master.agents()) {
    for (const auto& item : agent.total.items()) {
      if (item.reservations_size() == 0) continue;
      reserved[item.reservations(item.reservations_size() - 1).role()] += item;
    }
  }
  for (const auto& [role, resources] : used) roles[role];
  for (const auto& [role, resources] : reserved) roles[role];
  Json json{{"roles", Json::array()}};
  for (const auto& [name, frameworks] : roles) {
    const auto consumed = used[name].Scalars();
    json["roles"].push_back({{"name", name},
                             {"weight", 1.0},
                             {"quota",
                              {{"role", name},
                               {"guarantee", Json::object()},
                               {"limit", Json::object()},
                               {"consumed", consumed}}},
                             {"resources", (used[name] + offered[name]).Scalars()},
                             {"allocated", consumed},
                             {"offered", offered[name].Scalars()},
                             {"reserved", reserved[name].Scalars()},
                             {"frameworks", frameworks}});
  }
  return wire::DumpJson(json);
}

}  // namespace kiln::local
