#include <unistd.h>

#include <fstream>

#include "scheduler/api/routes.h"
#include "scheduler/api/views.h"
#include "wire/rest/json.h"

namespace kiln::scheduler {
namespace {

using wire::Json;

uint64_t ResidentBytes() {
  uint64_t total = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> total >> resident;
  return resident * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

void Metric(std::string& text, const char* name, const char* type, const char* help, double value) {
  text += fmt::format("# HELP {0} {2}\n# TYPE {0} {1}\n{0} {3}\n", name, type, help, value);
}

void MetricByLabel(std::string& text, const char* name, const char* label, const char* help,
                   const std::map<std::string, uint64_t>& values) {
  text += fmt::format("# HELP {0} {1}\n# TYPE {0} gauge\n", name, help);
  for (const auto& [key, value] : values) {
    text += fmt::format("{}{{{}=\"{}\"}} {}\n", name, label, key, value);
  }
}

}  // namespace

std::string MetricsText(const Backend& backend) {
  std::map<std::string, uint64_t> phases, states;
  for (const auto& [name, record] : backend.state().jobs) ++phases[JobPhaseName(record.phase)];
  const TaskCounts tasks = backend.TasksByState();
  for (size_t i = 0; i < tasks.size(); ++i) {
    if (tasks[i] > 0) states[TaskStateName(static_cast<TaskState>(i))] += tasks[i];
  }
  std::map<std::string, uint64_t> agents_out, gpus_out;
  for (const auto& [suspect, suspicion] : backend.state().suspicions) {
    if (suspicion.standing == Standing::kHealthy) continue;
    ++(suspect.gpu.empty() ? agents_out : gpus_out)[StandingName(suspicion.standing)];
  }
  const Counters counters = backend.GetCounters();
  const Health health = backend.GetHealth();
  auto count = [](uint64_t value) { return static_cast<double>(value); };
  std::string text;
  MetricByLabel(text, "kiln_jobs", "phase", "jobs by phase", phases);
  MetricByLabel(text, "kiln_tasks", "state", "tasks by state", states);
  Metric(text, "kiln_models", "gauge", "models in the registry",
         count(backend.state().models.size()));
  Metric(text, "kiln_agents", "gauge", "agents seen", count(backend.AgentCount()));
  MetricByLabel(text, "kiln_agents_suspect", "standing", "agents that get no work, or little",
                agents_out);
  MetricByLabel(text, "kiln_gpus_suspect", "standing", "devices that get no work, or little",
                gpus_out);
  Metric(text, "kiln_connected", "gauge", "1 when subscribed to a master", health.connected);
  Metric(text, "kiln_recovered", "gauge", "1 when the state is reconciled", health.recovered);
  Metric(text, "kiln_offers_received_total", "counter", "offers received",
         count(counters.offers_received));
  Metric(text, "kiln_offers_declined_total", "counter", "offers declined",
         count(counters.offers_declined));
  Metric(text, "kiln_launches_total", "counter", "tasks launched", count(counters.launches));
  Metric(text, "kiln_preemptions_total", "counter", "times that others were ended for a job",
         count(counters.preemptions));
  Metric(text, "kiln_evictions_total", "counter", "tasks ended for other jobs",
         count(counters.evictions));
  Metric(text, "kiln_status_updates_total", "counter", "status updates received",
         count(counters.updates));
  Metric(text, "kiln_commits_total", "counter", "commits of the store", count(counters.commits));
  Metric(text, "kiln_cycles_total", "counter", "turns of the loop", count(counters.cycles));
  Metric(text, "kiln_cycle_seconds_total", "counter", "time in turns of the loop",
         counters.cycle_seconds);
  Metric(text, "process_resident_memory_bytes", "gauge", "resident memory", count(ResidentBytes()));
  return text;
}

void AddClusterRoutes(std::vector<Route>& routes, ApiContext& context) {
  routes.push_back({"GET", "/v1/roles", "weight, quota, limit and use of each role",
                    [&context](const Call& call) {
                      Json roles = Json::array();
                      for (const RoleShare& share : context.backend.Roles()) {
                        roles.push_back(RoleShareToJson(share));
                      }
                      call.Answer(200, {{"roles", std::move(roles)}});
                    }});
  routes.push_back({"GET", "/v1/endpoints", "the model servers that run, with their addresses",
                    [&context](const Call& call) {
                      call.Answer(200, {{"endpoints", EndpointsToJson(context.backend.state())}});
                    }});
  // 200 and 202 both mean alive: without a master the scheduler waits, and a restart helps nobody.
  routes.push_back({"GET", "/v1/health", "200 when it schedules, 202 while it connects or recovers",
                    [&context](const Call& call) {
                      const Health health = context.backend.GetHealth();
                      const bool ready = health.connected && health.recovered;
                      call.Answer(ready ? 200 : 202, {{"status", ready ? "ready" : "starting"},
                                                      {"connected", health.connected},
                                                      {"recovered", health.recovered},
                                                      {"framework_id", health.framework_id},
                                                      {"master", health.master},
                                                      {"problem", health.problem}});
                    }});
  routes.push_back({"GET", "/v1/metrics/prometheus", "counters and gauges for Prometheus",
                    [&context](const Call& call) {
                      call.exchange->Respond(
                          {200,
                           {{"Content-Type", "text/plain; version=0.0.4; charset=utf-8"}},
                           MetricsText(context.backend)});
                    }});
}

}  // namespace kiln::scheduler
