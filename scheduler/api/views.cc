#include "scheduler/api/views.h"

#include <algorithm>

#include "wire/rest/job_codec.h"
#include "wire/rest/json.h"
#include "wire/rest/role_codec.h"
#include "wire/rest/view_codec.h"

namespace kiln::scheduler {
namespace {

using wire::InstantToJson;
using wire::Json;

// What the members of a group are doing.
struct Progress {
  int members = 0;
  int starting = 0;
  int running = 0;
  int finished = 0;
  double fraction = 0;  // sum over members
};

// By the last attempt of each member.
Progress ProgressOf(const Group& group, const std::vector<const Task*>& tasks) {
  std::map<int, const Task*> last;
  for (const Task* task : tasks) {
    if (task->member.group != group.name) continue;
    const Task*& held = last[task->member.index];
    if (held == nullptr || held->attempt < task->attempt) held = task;
  }
  Progress progress{.members = group.count};
  for (const auto& [index, task] : last) {
    if (task->state == TaskState::kFinished) {
      ++progress.finished;
      progress.fraction += 1;
    } else if (task->state == TaskState::kRunning || task->state == TaskState::kKilling) {
      ++progress.running;
      progress.fraction += task->fraction;
    } else if (!IsTerminal(task->state)) {
      ++progress.starting;
    }
  }
  return progress;
}

Json ProgressToJson(const Progress& progress) {
  return {{"members", progress.members},
          {"starting", progress.starting},
          {"running", progress.running},
          {"finished", progress.finished},
          {"fraction", progress.members == 0 ? 0 : progress.fraction / progress.members}};
}

// What stands against the agent and its devices.
Json QuarantineToJson(const AgentId& agent, const State& state) {
  Json list = Json::array();
  for (auto entry = state.suspicions.lower_bound({agent, {}});
       entry != state.suspicions.end() && entry->first.agent == agent; ++entry) {
    const auto& [suspect, suspicion] = *entry;
    if (suspicion.standing == Standing::kHealthy) continue;
    list.push_back({{"gpu", suspect.gpu.empty() ? Json() : Json(suspect.gpu.text)},
                    {"standing", StandingName(suspicion.standing)},
                    {"since", InstantToJson(suspicion.since)},
                    {"until", InstantToJson(suspicion.until)},
                    {"reason", ToText(suspect, suspicion)}});
  }
  return list;
}

// Those of its members, until they are gone.
Json VolumesToJson(const std::string& job, const State& state) {
  Json list = Json::array();
  for (const auto& [id, volume] : state.volumes) {
    if (volume.member.job != job) continue;
    list.push_back({{"id", id},
                    {"group", volume.member.group},
                    {"index", volume.member.index},
                    {"path", volume.path},
                    {"size", FormatBytes(volume.size)},
                    {"agent_id", volume.agent.text},
                    {"hostname", volume.hostname},
                    {"phase", VolumePhaseName(volume.phase)},
                    {"since", InstantToJson(volume.since)}});
  }
  return list;
}

}  // namespace

TasksOfJobs GroupTasks(const State& state) {
  TasksOfJobs tasks;
  for (const auto& [id, task] : state.tasks) tasks[task.member.job].push_back(&task);
  return tasks;
}

std::vector<const Task*> TasksOf(const State& state, const std::string& job) {
  std::vector<const Task*> tasks;
  for (const auto& [id, task] : state.tasks) {
    if (task.member.job == job) tasks.push_back(&task);
  }
  std::sort(tasks.begin(), tasks.end(), [](const Task* a, const Task* b) {
    return std::tie(a->member, a->attempt) < std::tie(b->member, b->attempt);
  });
  return tasks;
}

Json JobSummary(const JobRecord& record, const std::vector<const Task*>& tasks) {
  Progress sum;
  for (const Group& group : record.job.groups) {
    const Progress progress = ProgressOf(group, tasks);
    sum.members += progress.members;
    sum.starting += progress.starting;
    sum.running += progress.running;
    sum.finished += progress.finished;
    sum.fraction += progress.fraction;
  }
  Json json = {{"name", record.job.name},
               {"kind", wire::JobKindName(record.job.kind)},
               {"phase", JobPhaseName(record.phase)},
               {"message", record.message},
               {"role", record.job.role},
               {"priority", record.job.priority},
               {"digest", DigestText(record.digest)},
               {"submitted", InstantToJson(record.submitted)},
               {"ended", InstantToJson(record.ended)}};
  json.update(ProgressToJson(sum));
  return json;
}

Json JobDetail(const JobRecord& record, const std::vector<const Task*>& tasks, const State& state) {
  Json json = JobSummary(record, tasks);
  json["groups"] = Json::array();
  for (const Group& group : record.job.groups) {
    Json item = {{"name", group.name}};
    item.update(ProgressToJson(ProgressOf(group, tasks)));
    json["groups"].push_back(std::move(item));
  }
  json["volumes"] = VolumesToJson(record.job.name, state);
  json["job"] = wire::JobToJson(record.job);
  return json;
}

Json RefusalsToJson(const std::vector<Refusal>& refusals) {
  Json list = Json::array();
  for (const Refusal& refusal : refusals) {
    list.push_back({{"job", refusal.job},
                    {"group", refusal.group},
                    {"members", refusal.members},
                    {"blocker", BlockerName(refusal.blocker)},
                    {"reason", refusal.reason},
                    {"nearest", refusal.nearest},
                    {"held_by", refusal.held_by},
                    {"estimated_start", InstantToJson(refusal.estimate.start.value_or(Instant{}))},
                    {"estimate", refusal.estimate.words}});
  }
  return list;
}

Json PlanToJson(const DryPlan& dry) {
  const Plan& plan = dry.plan;
  Json launches = Json::array();
  for (const Launch& launch : plan.launches) {
    const auto hostname = dry.hostnames.find(launch.agent);
    launches.push_back({{"group", launch.member.group},
                        {"index", launch.member.index},
                        {"agent_id", launch.agent.text},
                        {"hostname", hostname == dry.hostnames.end() ? "" : hostname->second},
                        {"resources", wire::ResourcesToJson(launch.resources)}});
  }
  // A group behind another one has to wait in any case.
  const bool fits =
      std::all_of(plan.refusals.begin(), plan.refusals.end(),
                  [](const Refusal& refusal) { return refusal.blocker == Blocker::kAfter; });
  return {{"fits", fits},
          {"launches", std::move(launches)},
          {"refusals", RefusalsToJson(plan.refusals)}};
}

Json AgentViewToJson(const AgentView& view, const State& state) {
  Json json = wire::AgentToJson(view.agent);
  json["domain"] = view.domain;
  json["free"] = wire::ResourcesToJson(view.offered);
  json["used"] = wire::ResourcesToJson(view.used);
  json["tasks"] = view.tasks;
  json["seen"] = InstantToJson(view.seen);
  const auto suspicion = state.suspicions.find({view.agent.id, {}});
  json["standing"] = StandingName(suspicion == state.suspicions.end() ? Standing::kHealthy
                                                                      : suspicion->second.standing);
  json["quarantine"] = QuarantineToJson(view.agent.id, state);
  return json;
}

Json RoleShareToJson(const RoleShare& share) {
  return {{"name", share.role.name},
          {"weight", share.role.weight},
          {"quota", wire::AmountsToJson(share.role.quota, {})},
          {"limit", wire::AmountsToJson(share.role.limit, kNoLimit)},
          {"used", wire::AmountsToJson(share.used, {})},
          {"share", share.share},
          {"counted_share", share.counted}};
}

Json EventToJson(const Event& event) {
  return {{"sequence", event.sequence}, {"time", InstantToJson(event.time)},
          {"type", event.type},         {"name", event.name},
          {"state", event.state},       {"message", event.message}};
}

Json EndpointsToJson(const State& state) {
  Json list = Json::array();
  for (const auto& [id, task] : state.tasks) {
    if (task.endpoint.empty() || IsTerminal(task.state)) continue;
    Json models = Json::array();
    const auto record = state.jobs.find(task.member.job);
    for (const Group& group :
         record == state.jobs.end() ? std::vector<Group>() : record->second.job.groups) {
      const auto* serve = std::get_if<ServeWork>(&group.work);
      if (group.name != task.member.group || serve == nullptr) continue;
      for (const ModelRef& model : serve->models) models.push_back(model.name);
    }
    list.push_back({{"job", task.member.job},
                    {"group", task.member.group},
                    {"index", task.member.index},
                    {"task", id.text},
                    {"state", TaskStateName(task.state)},
                    {"address", task.endpoint},
                    {"models", std::move(models)},
                    {"healthy", task.healthy ? Json(*task.healthy) : Json()}});
  }
  return list;
}

std::string DigestText(uint64_t digest) { return fmt::format("{:016x}", digest); }

}  // namespace kiln::scheduler
