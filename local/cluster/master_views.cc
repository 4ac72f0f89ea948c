#include "local/cluster/master_views.h"

#include <algorithm>

#include "local/cluster/master.h"
#include "local/cluster/validation.h"

namespace kiln::local {

namespace operators = mesos::v1::master;
using operators::Call;
using operators::Response;

namespace {

Response::GetFrameworks::Framework FullEntry(const Master& master,
                                             const MasterFramework& framework) {
  Response::GetFrameworks::Framework entry = FrameworkEntry(framework);
  if (!framework.unregistered) entry.clear_unregistered_time();
  for (const std::string& id : framework.offers) {
    *entry.add_offers() = master.offers().at(id).wire;
  }
  for (const auto& [id, offer] : master.inverse_offers()) {
    if (offer.wire.framework_id().value() == framework.id()) {
      *entry.add_inverse_offers() = offer.wire;
    }
  }
  *entry.mutable_allocated_resources() = EndpointList(master.UsedBy(framework));
  *entry.mutable_offered_resources() = EndpointList(master.OfferedTo(framework));
  *entry.mutable_offer_constraints() = framework.constraints.wire();
  return entry;
}

Response::GetFrameworks ViewFrameworks(const Master& master) {
  Response::GetFrameworks view;
  for (const auto& [id, framework] : master.frameworks()) {
    *view.add_frameworks() = FullEntry(master, framework);
  }
  for (const MasterFramework& framework : master.completed_frameworks()) {
    *view.add_completed_frameworks() = FullEntry(master, framework);
  }
  return view;
}

Response::GetTasks ViewTasks(const Master& master) {
  Response::GetTasks view;
  auto add = [&](const MasterFramework& framework) {
    for (const auto& [id, task] : framework.tasks) *view.add_tasks() = task;
    for (const auto& [id, task] : framework.unreachable) *view.add_unreachable_tasks() = task;
    for (const auto& task : framework.completed) *view.add_completed_tasks() = task;
  };
  for (const auto& [id, framework] : master.frameworks()) add(framework);
  for (const MasterFramework& framework : master.completed_frameworks()) add(framework);
  return view;
}

Response::GetExecutors ViewExecutors(const Master& master) {
  Response::GetExecutors view;
  for (const auto& [id, agent] : master.agents()) {
    for (const auto& [key, executor] : agent.executors) {
      auto* entry = view.add_executors();
      *entry->mutable_executor_info() = executor;
      *entry->mutable_agent_id() = agent.info.id();
    }
  }
  return view;
}

Response::GetAgents ViewAgents(const Master& master) {
  Response::GetAgents view;
  for (const auto& [id, agent] : master.agents()) {
    auto* entry = view.add_agents();
    *entry = AgentEntry(master, agent);
    // Mesos prints the default of a field that only its own older message has.
    entry->mutable_agent_info()->set_checkpoint(true);
  }
  for (const auto& [id, info] : master.recovered()) {
    auto* entry = view.add_recovered_agents();
    *entry = info;
    entry->set_checkpoint(true);
  }
  return view;
}

Response::GetOperations ViewOperations(const Master& master) {
  Response::GetOperations view;
  for (const auto& [id, agent] : master.agents()) {
    for (const auto& [uuid, operation] : agent.operations) *view.add_operations() = operation;
  }
  return view;
}

Response::GetRoles ViewRoles(const Master& master) {
  Response::GetRoles view;
  std::map<std::string, std::set<std::string>> roles;
  std::map<std::string, Resources> used;
  for (const auto& [id, framework] : master.frameworks()) {
    for (const std::string& role : RolesOf(framework.info)) roles[role].insert(id);
    const Resources resources = master.UsedBy(framework);
    for (const auto& item : resources.items()) {
      used[item.allocation_info().role()] += item;
      roles[item.allocation_info().role()];
    }
  }
  for (const auto& [name, frameworks] : roles) {
    auto* role = view.add_roles();
    role->set_name(name);
    role->set_weight(1);
    for (const std::string& id : frameworks) role->add_frameworks()->set_value(id);
    *role->mutable_resources() = EndpointList(used[name]);
  }
  return view;
}

}  // namespace

mesos::v1::TimeInfo TimeOf(Instant instant) {
  mesos::v1::TimeInfo time;
  time.set_nanoseconds(instant.nanoseconds);
  return time;
}

ResourceList EndpointList(const Resources& resources) {
  ResourceList list;
  for (const mesos::v1::Resource& item : resources.items()) {
    *list.Add() = item;
    ToEndpointFormat(&list[list.size() - 1]);
  }
  return list;
}

Response::GetFrameworks::Framework FrameworkEntry(const MasterFramework& framework) {
  Response::GetFrameworks::Framework entry;
  *entry.mutable_framework_info() = framework.info;
  entry.set_active(framework.connected);
  entry.set_connected(framework.connected);
  entry.set_recovered(framework.recovered);
  *entry.mutable_registered_time() = TimeOf(framework.registered);
  *entry.mutable_reregistered_time() = TimeOf(framework.reregistered);
  *entry.mutable_unregistered_time() = TimeOf(framework.unregistered.value_or(Instant{}));
  return entry;
}

Response::GetAgents::Agent AgentEntry(const Master& master, const MasterAgent& agent) {
  Response::GetAgents::Agent entry;
  *entry.mutable_agent_info() = agent.info;
  entry.set_active(agent.active());
  entry.set_deactivated(agent.deactivated);
  entry.set_version(agent.version);
  entry.set_pid(agent.pid);
  *entry.mutable_registered_time() = TimeOf(agent.registered);
  if (agent.reregistered) *entry.mutable_reregistered_time() = TimeOf(*agent.reregistered);
  *entry.mutable_total_resources() = EndpointList(agent.total);
  *entry.mutable_allocated_resources() = EndpointList(master.UsedAt(agent));
  *entry.mutable_offered_resources() = EndpointList(master.OfferedAt(agent));
  for (const auto& capability : agent.capabilities) *entry.add_capabilities() = capability;
  const auto& draining = master.registry().draining;
  if (auto drain = draining.find(agent.id()); drain != draining.end()) {
    *entry.mutable_drain_info() = drain->second;
    if (agent.drain_start) *entry.mutable_estimated_drain_start_time() = TimeOf(*agent.drain_start);
  }
  return entry;
}

std::optional<Response> Master::View(const Call& call) const {
  Response response;
  switch (call.type()) {
    case Call::GET_HEALTH:
      response.set_type(Response::GET_HEALTH);
      response.mutable_get_health()->set_healthy(true);
      return response;
    case Call::GET_LOGGING_LEVEL:
      response.set_type(Response::GET_LOGGING_LEVEL);
      response.mutable_get_logging_level()->set_level(0);
      return response;
    case Call::GET_STATE:
      response.set_type(Response::GET_STATE);
      *response.mutable_get_state()->mutable_get_tasks() = ViewTasks(*this);
      *response.mutable_get_state()->mutable_get_executors() = ViewExecutors(*this);
      *response.mutable_get_state()->mutable_get_frameworks() = ViewFrameworks(*this);
      *response.mutable_get_state()->mutable_get_agents() = ViewAgents(*this);
      return response;
    case Call::GET_AGENTS:
      response.set_type(Response::GET_AGENTS);
      *response.mutable_get_agents() = ViewAgents(*this);
      return response;
    case Call::GET_FRAMEWORKS:
      response.set_type(Response::GET_FRAMEWORKS);
      *response.mutable_get_frameworks() = ViewFrameworks(*this);
      return response;
    case Call::GET_EXECUTORS:
      response.set_type(Response::GET_EXECUTORS);
      *response.mutable_get_executors() = ViewExecutors(*this);
      return response;
    case Call::GET_TASKS:
      response.set_type(Response::GET_TASKS);
      *response.mutable_get_tasks() = ViewTasks(*this);
      return response;
    case Call::GET_ROLES:
      response.set_type(Response::GET_ROLES);
      *response.mutable_get_roles() = ViewRoles(*this);
      return response;
    case Call::GET_WEIGHTS:
      response.set_type(Response::GET_WEIGHTS);
      return response;
    case Call::GET_MASTER:
      response.set_type(Response::GET_MASTER);
      *response.mutable_get_master()->mutable_master_info() = info_;
      response.mutable_get_master()->set_start_time(started_.Seconds());
      response.mutable_get_master()->set_elected_time(started_.Seconds());
      return response;
    case Call::GET_MAINTENANCE_STATUS:
      response.set_type(Response::GET_MAINTENANCE_STATUS);
      *response.mutable_get_maintenance_status()->mutable_status() = MaintenanceStatus();
      return response;
    case Call::GET_MAINTENANCE_SCHEDULE:
      response.set_type(Response::GET_MAINTENANCE_SCHEDULE);
      *response.mutable_get_maintenance_schedule()->mutable_schedule() =
          registry_.maintenance.schedule;
      return response;
    case Call::GET_QUOTA:
      response.set_type(Response::GET_QUOTA);
      response.mutable_get_quota()->mutable_status();
      return response;
    case Call::GET_OPERATIONS:
      response.set_type(Response::GET_OPERATIONS);
      *response.mutable_get_operations() = ViewOperations(*this);
      return response;
    default:
      return std::nullopt;
  }
}

}  // namespace kiln::local
