#include <algorithm>
#include <optional>

#include "model/uri.h"
#include "scheduler/api/routes.h"
#include "scheduler/api/views.h"
#include "wire/rest/job_codec.h"
#include "wire/rest/json.h"
#include "wire/rest/view_codec.h"

namespace kiln::scheduler {
namespace {

using wire::Json;

constexpr const char* kJobBody = "application/yaml";

Failure UnknownJob(const std::string& name) {
  return Fail(ErrorCode::kNotFound, "job {} is not known: expected one of those in /v1/jobs", name);
}

const JobRecord* FindJob(const ApiContext& context, const Call& call) {
  const auto& jobs = context.backend.state().jobs;
  auto found = jobs.find(call.at("name"));
  if (found != jobs.end()) return &found->second;
  call.AnswerError(UnknownJob(call.at("name")).value());
  return nullptr;
}

// The media type without its parameters is one that a job file comes in.
bool IsJobMediaType(const net::Request& request) {
  const std::string_view value = request.headers.Get("Content-Type").value_or("");
  const std::string_view type = value.substr(0, value.find_first_of("; "));
  // What curl says when it is not told.
  if (type.empty() || type == "application/x-www-form-urlencoded") return true;
  for (std::string_view known : {"application/json", "application/yaml", "application/x-yaml",
                                 "text/yaml", "text/x-yaml", "text/plain"}) {
    if (type == known) return true;
  }
  return false;
}

// The job in the body; nothing when the error is answered.
std::optional<Job> JobBody(const Call& call) {
  if (!IsJobMediaType(call.request())) {
    auto response = net::ErrorResponse(
        {ErrorCode::kInvalidArgument,
         fmt::format("Content-Type is {}: expected application/yaml or application/json",
                     *call.request().headers.Get("Content-Type")),
         {}});
    response.status = 415;
    call.exchange->Respond(std::move(response));
    return std::nullopt;
  }
  auto job = wire::DecodeJob(call.request().body);
  if (job) return *std::move(job);
  call.AnswerError(job.error());
  return std::nullopt;
}

void Submit(ApiContext& context, const Call& call) {
  auto job = JobBody(call);
  if (!job) return;
  if (auto reachable = CheckUris(*job); !reachable) return call.AnswerError(reachable.error());
  const uint64_t digest = wire::JobDigest(*job);
  const std::string name = job->name;
  const auto dry_run = call.Flag("dry_run");
  if (!dry_run) return call.AnswerError(dry_run.error());
  if (*dry_run) {
    const Status status = context.backend.CheckSubmit(*job, digest);
    return status ? call.Answer(200, {{"name", name}}) : call.AnswerError(status.error());
  }
  const auto& jobs = context.backend.state().jobs;
  const auto before = jobs.find(name);
  const bool same = before != jobs.end() && before->second.digest == digest;
  context.backend.Submit(*std::move(job), digest, [call, name, same, &context](Status status) {
    if (!status) return call.AnswerError(status.error());
    const State& state = context.backend.state();
    const auto record = state.jobs.find(name);
    if (record == state.jobs.end()) return call.AnswerError(UnknownJob(name).value());
    const Json body = JobSummary(record->second, TasksOf(state, name));
    call.exchange->Respond({same ? 200 : 201,
                            {{"Content-Type", "application/json"},
                             {"Location", "/v1/jobs/" + net::PercentEncode(name)}},
                            wire::DumpJson(body) + "\n"});
  });
}

bool IsPhase(const std::string& text) {
  return std::any_of(std::begin(kJobPhases), std::end(kJobPhases),
                     [&](JobPhase phase) { return text == JobPhaseName(phase); });
}

void List(ApiContext& context, const Call& call) {
  const State& state = context.backend.state();
  const TasksOfJobs tasks = GroupTasks(state);
  const auto phase = call.request().Query("phase");
  if (phase && !IsPhase(*phase)) {
    return call.AnswerError(
        {ErrorCode::kInvalidArgument,
         fmt::format("phase is {}: expected WAITING, RUNNING, SUCCEEDED, FAILED, KILLING or KILLED",
                     *phase),
         "phase"});
  }
  Json jobs = Json::array();
  for (const auto& [name, record] : state.jobs) {
    if (phase && *phase != JobPhaseName(record.phase)) continue;
    const auto own = tasks.find(name);
    jobs.push_back(
        JobSummary(record, own == tasks.end() ? std::vector<const Task*>() : own->second));
  }
  call.Answer(200, {{"jobs", std::move(jobs)}});
}

void Tasks(ApiContext& context, const Call& call) {
  if (FindJob(context, call) == nullptr) return;
  Json tasks = Json::array();
  for (const Task* task : TasksOf(context.backend.state(), call.at("name"))) {
    tasks.push_back(wire::TaskToJson(*task));
  }
  call.Answer(200, {{"tasks", std::move(tasks)}});
}

void Why(ApiContext& context, const Call& call) {
  const JobRecord* record = FindJob(context, call);
  if (record == nullptr) return;
  call.Answer(200, {{"job", record->job.name},
                    {"phase", JobPhaseName(record->phase)},
                    {"message", record->message},
                    {"refusals", RefusalsToJson(context.backend.Why(record->job.name))}});
}

void Kill(ApiContext& context, const Call& call) {
  if (FindJob(context, call) == nullptr) return;
  const std::string name = call.at("name");
  context.backend.Kill(name, [call, name, &context](Status status) {
    if (!status) return call.AnswerError(status.error());
    const State& state = context.backend.state();
    const auto record = state.jobs.find(name);
    if (record == state.jobs.end()) return call.AnswerError(UnknownJob(name).value());
    call.Answer(200, JobSummary(record->second, TasksOf(state, name)));
  });
}

void KillTask(ApiContext& context, const Call& call) {
  const TaskId id{call.at("id")};
  if (!context.backend.state().tasks.contains(id)) {
    return call.AnswerError({ErrorCode::kNotFound,
                             fmt::format("task {} is not known: expected one of those in "
                                         "/v1/jobs/NAME/tasks",
                                         id.text),
                             {}});
  }
  context.backend.KillTask(id, [call, id, &context](Status status) {
    if (!status) return call.AnswerError(status.error());
    const auto& tasks = context.backend.state().tasks;
    const auto task = tasks.find(id);
    call.Answer(200, task == tasks.end() ? Json::object() : wire::TaskToJson(task->second));
  });
}

}  // namespace

std::optional<Json> JsonBody(const Call& call) {
  auto json = wire::ParseJson(call.request().body, wire::kKeyWorkMax);
  if (json) return *std::move(json);
  call.AnswerError(Within("body", json.error()));
  return std::nullopt;
}

void AddJobRoutes(std::vector<Route>& routes, ApiContext& context) {
  auto with = [&context](void (*handler)(ApiContext&, const Call&)) {
    return [&context, handler](const Call& call) { handler(context, call); };
  };
  routes.push_back({"GET", "/v1/jobs", "all jobs", with(List), {"phase"}});
  routes.push_back({"POST",
                    "/v1/jobs",
                    "submits a job: 201, or 200 when a job of that name and content is there; "
                    "dry_run: says whether it would be taken, and does nothing",
                    with(Submit),
                    {"dry_run"},
                    kJobBody,
                    "Job"});
  routes.push_back({"POST",
                    "/v1/plan",
                    "where a job would go at this moment, or why it would wait",
                    [&context](const Call& call) {
                      auto job = JobBody(call);
                      if (!job) return;
                      context.backend.DryRun(*std::move(job), [call](const DryPlan& dry) {
                        call.Answer(200, PlanToJson(dry));
                      });
                    },
                    {},
                    kJobBody,
                    "Job"});
  routes.push_back(
      {"GET", "/v1/jobs/{name}", "one job with its groups", [&context](const Call& call) {
         const JobRecord* record = FindJob(context, call);
         if (record == nullptr) return;
         const auto tasks = TasksOf(context.backend.state(), record->job.name);
         call.Answer(200, JobDetail(*record, tasks, context.backend.state()));
       }});
  routes.push_back({"DELETE", "/v1/jobs/{name}", "the same as kill", with(Kill)});
  routes.push_back({"POST", "/v1/jobs/{name}/kill", "ends a job", with(Kill)});
  routes.push_back({"GET", "/v1/jobs/{name}/tasks", "every attempt of every member", with(Tasks)});
  routes.push_back({"GET", "/v1/jobs/{name}/why", "why members wait", with(Why)});
  routes.push_back({"POST", "/v1/tasks/{id}/kill", "ends one task; another attempt takes its place",
                    with(KillTask)});
}

}  // namespace kiln::scheduler
