// A scheduler that remembers what it is told and places nothing: for tests of the API and of the
// command line.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "scheduler/api/backend.h"

namespace kiln::scheduler {

class FakeBackend final : public Backend {
 public:
  State data;
  std::vector<AgentView> agents;
  std::vector<RoleShare> roles;
  Health health{true, true, "framework-1", "127.0.0.1:5050"};
  std::vector<Refusal> refusals;
  Plan plan;
  std::map<TaskId, Sandbox> sandboxes;
  int teardowns = 0;
  uint64_t first_event = 1;  // its sequence
  Status teardown_outcome;
  Status disk;                             // what a submit meets
  Instant now{1'738'324'800'000'000'000};  // 2025-01-31T12:00:00Z

  const State& state() const override { return data; }
  std::vector<AgentView> Agents() const override { return agents; }
  size_t AgentCount() const override { return agents.size(); }
  TaskCounts TasksByState() const override { return CountStates(data); }
  std::vector<RoleShare> Roles() const override { return roles; }
  Health GetHealth() const override { return health; }
  Counters GetCounters() const override { return {.launches = 3}; }
  std::vector<Refusal> Why(const std::string& job) override {
    std::vector<Refusal> found;
    for (const Refusal& refusal : refusals) {
      if (job.empty() || refusal.job == job) found.push_back(refusal);
    }
    return found;
  }
  void DryRun(Job, std::function<void(const DryPlan&)> done) override {
    DryPlan dry{plan, {}};
    for (const AgentView& view : agents) dry.hostnames[view.agent.id] = view.agent.hostname;
    done(dry);
  }

  Status CheckSubmit(const Job& job, uint64_t digest) const override {
    const auto before = data.jobs.find(job.name);
    if (before == data.jobs.end() || before->second.digest == digest) return {};
    if (IsEnded(before->second.phase)) return {};
    return Fail(ErrorCode::kConflict, "job {} is there with another content", job.name);
  }
  void Submit(Job job, uint64_t digest, Done done) override {
    if (!disk) return done(disk);
    if (const Status fine = CheckSubmit(job, digest); !fine) return done(fine);
    const auto before = data.jobs.find(job.name);
    if (before != data.jobs.end() && before->second.digest == digest) return done({});
    JobRecord record;
    record.job = ExpandGroups(std::move(job));
    record.digest = digest;
    record.submitted = now;
    const std::string name = record.job.name;
    data.jobs[name] = std::move(record);
    Tell("job", name, "WAITING");
    done({});
  }
  void Kill(const std::string& job, Done done) override {
    data.jobs.at(job).phase = JobPhase::kKilling;
    Tell("job", job, "KILLING");
    done({});
  }
  void KillTask(const TaskId& task, Done done) override {
    data.tasks.at(task).kill_wanted = true;
    done({});
  }
  void Register(ModelVersion version, std::function<void(Result<int64_t>)> done) override {
    Model& model = data.models[version.model];
    model.name = version.model;
    for (const auto& [number, other] : model.versions) {
      if (!version.job.empty() && other.job == version.job) return done(number);
    }
    version.version = static_cast<int64_t>(model.versions.size()) + 1;
    version.created = now;
    const int64_t number = version.version;
    model.versions[number] = std::move(version);
    done(number);
  }
  void SetLabel(const std::string& model, const std::string& label, std::optional<int64_t> version,
                Done done) override {
    if (version) {
      data.models.at(model).labels[label] = *version;
    } else {
      data.models.at(model).labels.erase(label);
    }
    done({});
  }
  void SetQuarantine(const std::string& agent, const QuarantineRequest& request,
                     Done done) override {
    Suspicion& suspicion = data.suspicions[{{agent}, request.gpu}];
    suspicion = {.hostname = agent,
                 .standing = Standing::kQuarantined,
                 .since = now,
                 .until = request.time ? now + *request.time : Instant{},
                 .reason = request.reason};
    done({});
  }
  void Release(const std::string& agent, const GpuId& gpu, Done done) override {
    if (data.suspicions.erase({{agent}, gpu}) > 0) return done({});
    done(Fail(ErrorCode::kFailedPrecondition, "agent {} is healthy", agent));
  }
  void Teardown(Done done) override {
    ++teardowns;
    done(teardown_outcome);
  }
  std::vector<Event> EventsAfter(uint64_t sequence) const override {
    std::vector<Event> found;
    for (const Event& event : events_) {
      if (event.sequence > sequence) found.push_back(event);
    }
    return found;
  }
  std::shared_ptr<void> Subscribe(std::function<void(const Event&)> listener) override {
    auto held = std::make_shared<std::function<void(const Event&)>>(std::move(listener));
    listeners_.push_back(held);
    return held;
  }
  Result<Sandbox> FindSandbox(const TaskId& task) const override {
    auto found = sandboxes.find(task);
    if (found != sandboxes.end()) return found->second;
    return Fail(ErrorCode::kNotFound, "task {} has no sandbox", task.text);
  }

  void Tell(std::string type, std::string name, std::string state) {
    events_.push_back({first_event + events_.size(), now, std::move(type), std::move(name),
                       std::move(state), ""});
    for (const auto& weak : listeners_) {
      if (auto listener = weak.lock()) (*listener)(events_.back());
    }
  }

 private:
  std::vector<Event> events_;
  std::vector<std::weak_ptr<std::function<void(const Event&)>>> listeners_;
};

}  // namespace kiln::scheduler
