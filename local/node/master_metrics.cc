// The metrics of a master under Mesos's names.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <map>
#include <thread>

#include "local/cluster/agent_updates.h"
#include "local/cluster/master.h"
#include "local/cluster/validation.h"
#include "local/node/agent_json.h"
#include "local/node/master_json.h"
#include "wire/rest/json.h"

namespace kiln::local {

namespace {

using Metrics = std::map<std::string, double>;

// Names that dashboards ask for and that count what this master does not do, or does not time.
void AddUnused(Metrics& metrics) {
  for (const char* timer : {"allocator/mesos/allocation_run_latency_ms",
                            "allocator/mesos/allocation_run_ms", "registrar/state_store_ms"}) {
    metrics[timer] = 0;
    for (const char* statistic :
         {"count", "max", "min", "p50", "p90", "p95", "p99", "p999", "p9999"}) {
      metrics[fmt::format("{}/{}", timer, statistic)] = 0;
    }
  }
  for (const char* scope : {"", "create/", "create_disk/", "destroy/", "destroy_disk/",
                            "grow_volume/", "reserve/", "shrink_volume/", "unreserve/"}) {
    for (const char* state : {"dropped", "error", "failed", "finished", "gone_by_operator",
                              "pending", "recovering", "total", "unreachable"}) {
      metrics[fmt::format("master/operations/{}{}", scope, state)] = 0;
    }
  }
  for (const char* name : {"allocator/event_queue_dispatches",
                           "allocator/mesos/allocation_runs",
                           "allocator/mesos/event_queue_dispatches",
                           "allocator/mesos/quota/roles//resources/cpus/consumed",
                           "allocator/mesos/quota/roles//resources/mem/consumed",
                           "master/event_queue_dispatches",
                           "master/event_queue_http_requests",
                           "master/event_queue_messages",
                           "master/http_cache_hits",
                           "master/invalid_executor_to_framework_messages",
                           "master/invalid_framework_to_executor_messages",
                           "master/invalid_operation_status_update_acknowledgements",
                           "master/invalid_operation_status_updates",
                           "master/messages_authenticate",
                           "master/messages_deactivate_framework",
                           "master/messages_decline_offers",
                           "master/messages_executor_to_framework",
                           "master/messages_exited_executor",
                           "master/messages_framework_to_executor",
                           "master/messages_kill_task",
                           "master/messages_launch_tasks",
                           "master/messages_operation_status_update",
                           "master/messages_operation_status_update_acknowledgement",
                           "master/messages_reconcile_operations",
                           "master/messages_reconcile_tasks",
                           "master/messages_register_framework",
                           "master/messages_reregister_framework",
                           "master/messages_resource_request",
                           "master/messages_revive_offers",
                           "master/messages_suppress_offers",
                           "master/messages_unregister_framework",
                           "master/messages_unregister_slave",
                           "master/messages_update_slave",
                           "master/recovery_slave_removals",
                           "master/slave_removals/reason_registered",
                           "master/slave_removals/reason_unhealthy",
                           "master/slave_removals/reason_unregistered",
                           "master/slave_shutdowns_canceled",
                           "master/slave_shutdowns_completed",
                           "master/slave_shutdowns_scheduled",
                           "master/slave_unreachable_canceled",
                           "master/slave_unreachable_completed",
                           "master/slave_unreachable_scheduled",
                           "master/valid_executor_to_framework_messages",
                           "master/valid_framework_to_executor_messages",
                           "master/valid_operation_status_update_acknowledgements",
                           "master/valid_operation_status_updates",
                           "registrar/queued_operations",
                           "registrar/registry_size_bytes",
                           "registrar/state_fetch_ms"}) {
    metrics[name] = 0;
  }
}

void AddResources(Metrics& metrics, const Master& master) {
  Resources total;
  Resources used;
  Resources offered;
  for (const auto& [id, agent] : master.agents()) {
    total += agent.total;
    used += master.UsedAt(agent);
    offered += master.OfferedAt(agent);
  }
  for (const char* name : {"cpus", "mem", "disk", "gpus"}) {
    const double all = total.Quantity(name);
    const double taken = used.Quantity(name);
    AddUse(metrics, fmt::format("master/{}", name), total.NonRevocable().Quantity(name),
           used.NonRevocable().Quantity(name));
    AddUse(metrics, fmt::format("master/{}_revocable", name), total.Revocable().Quantity(name),
           used.Revocable().Quantity(name));
    metrics[fmt::format("allocator/mesos/resources/{}/total", name)] = all;
    metrics[fmt::format("allocator/mesos/resources/{}/offered_or_allocated", name)] =
        taken + offered.Quantity(name);
  }
}

void AddRoles(Metrics& metrics, const Master& master, Instant now) {
  std::map<std::string, Resources> used;
  for (const auto& [id, framework] : master.frameworks()) {
    for (const std::string& role : RolesOf(framework.info)) used[role];
    const Resources resources = master.UsedBy(framework);
    for (const auto& item : resources.items()) used[item.allocation_info().role()] += item;
  }
  for (const auto& [role, resources] : used) {
    const std::string quota = fmt::format("allocator/mesos/quota/roles/{}/resources/", role);
    for (const auto& [name, value] : resources.Scalars())
      metrics[quota + name + "/consumed"] = value;
    metrics[fmt::format("allocator/mesos/offer_filters/roles/{}/active", role)] =
        static_cast<double>(master.allocator().Filters(role, now));
    metrics[fmt::format("allocator/mesos/roles/{}/shares/dominant", role)] =
        master.allocator().Share(role);
  }
}

void AddTasks(Metrics& metrics, const Master& master) {
  auto name = [](mesos::v1::TaskState state) {
    std::string text = "master/tasks_" + TaskState_Name(state).substr(5);
    for (char& c : text) c = static_cast<char>(std::tolower(c));
    return text;
  };
  for (int i = mesos::v1::TaskState_MIN; i <= mesos::v1::TaskState_MAX; ++i) {
    metrics[name(static_cast<mesos::v1::TaskState>(i))] = 0;
  }
  for (const auto& [id, framework] : master.frameworks()) {
    for (const auto& [task_id, task] : framework.tasks) {
      if (!IsTerminal(task.state())) ++metrics[name(task.state())];
    }
    metrics["master/tasks_unreachable"] += static_cast<double>(framework.unreachable.size());
  }
  for (const auto& [state, count] : master.counts().tasks) metrics[name(state)] = count;
}

void AddCounts(Metrics& metrics, const Master& master) {
  double frameworks = 0;
  for (const auto& [id, framework] : master.frameworks()) frameworks += framework.connected;
  const double all = static_cast<double>(master.frameworks().size());
  metrics["master/frameworks_active"] = metrics["master/frameworks_connected"] = frameworks;
  metrics["master/frameworks_inactive"] = metrics["master/frameworks_disconnected"] =
      all - frameworks;
  double active = 0;
  double connected = 0;
  for (const auto& [id, agent] : master.agents()) {
    active += agent.active();
    connected += agent.connected;
  }
  const double agents = static_cast<double>(master.agents().size());
  metrics["master/slaves_active"] = active;
  metrics["master/slaves_inactive"] = agents - active;
  metrics["master/slaves_connected"] = connected;
  metrics["master/slaves_disconnected"] = agents - connected;
  metrics["master/slaves_unreachable"] = static_cast<double>(master.registry().unreachable.size());
  const MasterCounts& counts = master.counts();
  metrics["master/slave_registrations"] = counts.agent_registrations;
  metrics["master/messages_register_slave"] = counts.agent_registrations;
  metrics["master/slave_reregistrations"] = counts.agent_reregistrations;
  metrics["master/messages_reregister_slave"] = counts.agent_reregistrations;
  metrics["master/slave_removals"] = counts.agent_removals;
  metrics["master/valid_status_updates"] = counts.valid_status_updates;
  metrics["master/invalid_status_updates"] = counts.invalid_status_updates;
  metrics["master/messages_status_update"] =
      counts.valid_status_updates + counts.invalid_status_updates;
  metrics["master/valid_status_update_acknowledgements"] =
      counts.valid_status_update_acknowledgements;
  metrics["master/invalid_status_update_acknowledgements"] =
      counts.invalid_status_update_acknowledgements;
  metrics["master/messages_status_update_acknowledgement"] =
      counts.valid_status_update_acknowledgements + counts.invalid_status_update_acknowledgements;
  metrics["master/dropped_messages"] = counts.dropped_messages;
  metrics["master/outstanding_offers"] = static_cast<double>(master.offers().size());
  metrics["master/operator_event_stream_subscribers"] =
      static_cast<double>(master.operator_streams());
}

Metrics Collect(const Master& master, Instant now) {
  Metrics metrics;
  AddUnused(metrics);
  AddResources(metrics, master);
  AddRoles(metrics, master, now);
  AddTasks(metrics, master);
  AddCounts(metrics, master);
  metrics["master/elected"] = 1;
  metrics["master/uptime_secs"] = ToSeconds(now - master.started());
  double load[3] = {};
  if (getloadavg(load, 3) < 0) load[0] = load[1] = load[2] = 0;
  metrics["system/load_1min"] = load[0];
  metrics["system/load_5min"] = load[1];
  metrics["system/load_15min"] = load[2];
  metrics["system/cpus_total"] = std::thread::hardware_concurrency();
  const double page = static_cast<double>(sysconf(_SC_PAGESIZE));
  metrics["system/mem_total_bytes"] = page * static_cast<double>(sysconf(_SC_PHYS_PAGES));
  metrics["system/mem_free_bytes"] = page * static_cast<double>(sysconf(_SC_AVPHYS_PAGES));
  return metrics;
}

}  // namespace

std::string MetricsJson(const Master& master, Instant now) {
  return wire::DumpJson(Collect(master, now));
}

mesos::v1::master::Response MetricsView(const Master& master, Instant now) {
  mesos::v1::master::Response response;
  response.set_type(mesos::v1::master::Response::GET_METRICS);
  for (const auto& [name, value] : Collect(master, now)) {
    auto* metric = response.mutable_get_metrics()->add_metrics();
    metric->set_name(name);
    metric->set_value(value);
  }
  return response;
}

}  // namespace kiln::local
