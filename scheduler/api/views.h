// What the scheduler knows, as the JSON of its answers; and what is put into it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "scheduler/api/backend.h"
#include "wire/rest/json_fwd.h"

namespace kiln::scheduler {

// The tasks of each job, in the order of their ids.
using TasksOfJobs = std::map<std::string, std::vector<const Task*>, std::less<>>;
TasksOfJobs GroupTasks(const State& state);
std::vector<const Task*> TasksOf(const State& state, const std::string& job);

// A line of the list of jobs: phase, how many members run and have finished, how far they are.
wire::Json JobSummary(const JobRecord& record, const std::vector<const Task*>& tasks);
// The same with the job itself and its groups.
wire::Json JobDetail(const JobRecord& record, const std::vector<const Task*>& tasks,
                     const State& state);

wire::Json RefusalsToJson(const std::vector<Refusal>& refusals);
wire::Json PlanToJson(const DryPlan& dry);
wire::Json RoleShareToJson(const RoleShare& share);
wire::Json AgentViewToJson(const AgentView& view, const State& state);
// What an operator asks of /v1/agents/ID/quarantine and release.
wire::Json QuarantineRequestSchema();
wire::Json ReleaseSchema();
wire::Json EventToJson(const Event& event);
wire::Json ModelToJson(const Model& model);
wire::Json ModelVersionToJson(const ModelVersion& version);
// A registration; `model` is the name in the path, or empty when the body has it.
// The JSON Schema of what ModelVersionFromJson reads.
wire::Json ModelVersionSchema();
Result<ModelVersion> ModelVersionFromJson(const wire::Json& json, const std::string& model);
// Running members that listen: {"job","task","address","models",...}.
wire::Json EndpointsToJson(const State& state);

// 16 hexadecimal digits: JSON numbers do not hold 64 bits everywhere.
std::string DigestText(uint64_t digest);

}  // namespace kiln::scheduler
