// The scheduler as the REST routes see it.
#include <algorithm>
#include <set>

#include "scheduler/daemon/scheduler.h"
#include "scheduler/daemon/state_views.h"

namespace kiln::scheduler {

// Answers when what has happened up to this moment is durable.
void Scheduler::Later(Status status, Done done) {
  answers_.push_back([status = std::move(status), done = std::move(done)](const Status& written) {
    done(written ? status : written);
  });
  Wake();
}

void Scheduler::Submit(Job job, uint64_t digest, Done done) {
  Status status = task_options_.secrets.Check(job);
  if (status) status = lifecycle_->Submit(std::move(job), digest, world_.Now());
  Later(std::move(status), std::move(done));
}

void Scheduler::Kill(const std::string& job, Done done) {
  Later(lifecycle_->Kill(job, world_.Now()), std::move(done));
}

void Scheduler::KillTask(const TaskId& task, Done done) {
  Later(lifecycle_->KillTask(task, world_.Now()), std::move(done));
}

void Scheduler::SetLabel(const std::string& model, const std::string& label,
                         std::optional<int64_t> version, Done done) {
  Later(lifecycle_->SetLabel(model, label, version), std::move(done));
}

void Scheduler::Register(ModelVersion version, std::function<void(Result<int64_t>)> done) {
  const Result<int64_t> number = lifecycle_->Register(std::move(version), world_.Now());
  answers_.push_back([number, done = std::move(done)](const Status& written) {
    done(written ? number : Result<int64_t>(Failure(written.error())));
  });
  Wake();
}

// An agent that has one of these devices, or any when none is named.
Result<Agent> Scheduler::FindAgent(const std::string& name, const GpuId& gpu) const {
  std::vector<Agent> found;
  for (const AgentView& view : Agents()) {
    if (view.agent.id.text == name) {
      found = {view.agent};
      break;
    }
    if (view.agent.hostname == name) found.push_back(view.agent);
  }
  if (found.empty()) return Fail(ErrorCode::kNotFound, "agent {} is not known", name);
  if (found.size() > 1) {
    return Fail(ErrorCode::kInvalidArgument, "agent {} is one of {}: expected an id", name,
                found.size());
  }
  const auto& gpus = found[0].gpus;
  const bool has =
      std::any_of(gpus.begin(), gpus.end(), [&](const Gpu& one) { return one.id == gpu; });
  if (!gpu.empty() && !has) {
    return Fail(ErrorCode::kNotFound, "agent {} has no gpu {}", name, gpu.text);
  }
  return found[0];
}

void Scheduler::SetQuarantine(const std::string& name, const QuarantineRequest& request,
                              Done done) {
  const Result<Agent> agent = FindAgent(name, request.gpu);
  if (!agent) return Later(Failure(agent.error()), std::move(done));
  lifecycle_->SetQuarantine({agent->id, request.gpu}, agent->hostname, request.time, request.reason,
                            world_.Now());
  Later({}, std::move(done));
}

void Scheduler::Release(const std::string& name, const GpuId& gpu, Done done) {
  // A device that is gone may still stand in the books.
  const Result<Agent> agent = FindAgent(name, {});
  Later(agent ? lifecycle_->Release({agent->id, gpu}) : Status(Failure(agent.error())),
        std::move(done));
}

void Scheduler::Teardown(Done done) {
  if (!connected_) {
    Later(Fail(ErrorCode::kUnavailable, "no Mesos master is connected, expected one to tear down"),
          std::move(done));
    return;
  }
  if (Status ended = lifecycle_->EndAll(world_.Now()); !ended) {
    return Later(std::move(ended), std::move(done));
  }
  // The jobs end durably before their framework does.
  answers_.push_back([this, done = std::move(done)](const Status& written) {
    if (!written) return done(written);
    link_.Teardown();
    torn_down_ = true;
    lifecycle_->FrameworkRemoved(world_.Now());
    connected_ = false;
    Later({}, done);
  });
  Wake();
}

size_t Scheduler::AgentCount() const {
  std::set<AgentId> agents = book_.KnownAgents();
  for (const auto& [agent, tasks] : lifecycle_->GetRunning().Agents()) agents.insert(agent);
  for (const auto& [suspect, suspicion] : state().suspicions) agents.insert(suspect.agent);
  return agents.size();
}

std::vector<AgentView> Scheduler::Agents() const {
  std::map<AgentId, AgentView> views;
  for (const Offer& offer : book_.Known()) {
    AgentView& view = views[offer.agent.id];
    view.agent = offer.agent;
    view.offered += offer.resources;
    view.seen = std::max(view.seen, offer.received);
  }
  return AgentViews(std::move(views), state(), options_.topology);
}

std::vector<RoleShare> Scheduler::Roles() const {
  return SharesOf(lifecycle_->SharingAt(world_.Now(), book_.Free()), options_.roles);
}

Health Scheduler::GetHealth() const {
  return {.connected = connected_,
          .recovered = lifecycle_->Settled(world_.Now()),
          .framework_id = state().framework_id,
          .master = master_,
          .problem = problem_};
}

std::vector<Refusal> Scheduler::Why(const std::string& job) {
  std::vector<Refusal> refusals = cycle_.Why(*lifecycle_, job, world_.Now());
  SetTimer(world_.Now());  // a cycle may be due for who has asked
  for (Refusal& refusal : refusals) {
    if (refusal.blocker == Blocker::kNotConnected && !problem_.empty()) {
      refusal.reason += ": " + problem_;
    }
  }
  return refusals;
}

void Scheduler::DryRun(Job job, std::function<void(const DryPlan&)> done) {
  if (job.role.empty()) job.role = options_.roles.front();
  std::string role = lifecycle_->OfferRole(job.role);
  auto run = std::make_unique<scheduler::DryRun>(std::move(job));
  dry_runs_.push_back({std::move(run), std::move(role), std::move(done), false});
  GoOnWithDryRuns();
}

void Scheduler::Answer(const AskedDryRun& asked) {
  DryPlan dry{asked.run->Take(), {}};
  for (const Launch& launch : dry.plan.launches) {
    const Offer* offer = book_.KnownOf(launch.agent, asked.role);
    if (offer != nullptr) dry.hostnames.emplace(launch.agent, offer->agent.hostname);
  }
  asked.done(dry);
}

// One part, and then what else there is to do.
void Scheduler::GoOnWithDryRuns() {
  if (dry_runs_.empty()) return;
  next_part_ = world_.agenda.After(Duration(0), [this] {
    if (stopped_) return;
    AskedDryRun& asked = dry_runs_.front();
    if (asked.answered) {
      if (asked.run->Free()) dry_runs_.pop_front();
    } else if (cycle_.GoOn(*asked.run, *lifecycle_, world_.Now())) {
      asked.answered = true;
      Answer(asked);
    }
    GoOnWithDryRuns();
  });
}

Result<Backend::Sandbox> Scheduler::FindSandbox(const TaskId& id) const {
  const auto task = state().tasks.find(id);
  if (task == state().tasks.end()) {
    return Fail(ErrorCode::kNotFound, "task {} is not known", id.text);
  }
  const auto agent = state().agents.find(task->second.agent);
  if (agent == state().agents.end() || agent->second.address.empty()) {
    return Fail(ErrorCode::kNotFound, "the address of agent {} is not known",
                task->second.agent.text);
  }
  Sandbox sandbox{(options_.mesos_tls ? "https://" : "") + agent->second.address,
                  fmt::format("/frameworks/{}/executors/{}/runs/latest", state().framework_id,
                              task->second.executor.text),
                  link_.AgentAuthorization(), agent->second.hostname};
  const Job& job = state().jobs.at(task->second.member.job).job;
  const bool command =
      std::holds_alternative<CommandWork>(FindGroup(job, task->second.member.group)->work);
  // Commands that share a device have a folder each in the sandbox of their executor.
  if (command && !task->second.resources.gpu_shares.empty()) sandbox.path += "/" + id.text;
  return sandbox;
}

}  // namespace kiln::scheduler
