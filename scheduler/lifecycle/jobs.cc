// Users: jobs and models.
#include <algorithm>

#include "scheduler/lifecycle/lifecycle.h"

namespace kiln::scheduler {
namespace {

constexpr Duration kEndingWait = std::chrono::minutes(1);

}  // namespace

bool Lifecycle::HasSame(const Job& job, uint64_t digest) const {
  const auto found = state_.jobs.find(job.name);
  if (found == state_.jobs.end() || found->second.digest != digest) return false;
  const JobPhase phase = found->second.phase;
  return phase == JobPhase::kWaiting || phase == JobPhase::kRunning ||
         phase == JobPhase::kSucceeded;
}

Status Lifecycle::CheckSubmit(Job job, uint64_t digest) const {
  if (job.role.empty()) job.role = settings_.roles.front();
  KILN_TRY_OK(CheckRole(job));
  KILN_TRY_OK(CheckVolumes(job));
  KILN_TRY_OK(CheckGangLevels(job, settings_.topology));
  if (HasSame(job, digest)) return {};
  const auto found = state_.jobs.find(job.name);
  if (found != state_.jobs.end()) {
    const JobRecord& old = found->second;
    if (!IsEnded(old.phase)) {
      const bool same = old.digest == digest;
      return Fail(ErrorCode::kConflict,
                  "job {} is {} with {} content: expected another name, or to wait for its end",
                  job.name, JobPhaseName(old.phase), same ? "the same" : "other");
    }
    const auto& live = runs_.at(job.name).live;
    const auto stopping = std::count_if(live.begin(), live.end(), [this](const TaskId& id) {
      return state_.tasks.at(id).state != TaskState::kUnreachable;
    });
    if (stopping > 0) {
      return Fail(ErrorCode::kFailedPrecondition,
                  "job {} has ended but {} of its tasks still stop: expected to wait for them",
                  job.name, stopping);
    }
  }
  return CheckAfter(job);
}

Status Lifecycle::Submit(Job job, uint64_t digest, Instant now) {
  if (job.role.empty()) job.role = settings_.roles.front();
  KILN_TRY_OK(CheckSubmit(job, digest));
  if (HasSame(job, digest)) return {};
  if (state_.jobs.contains(job.name)) Forget(job.name);
  JobRecord record{.job = ExpandGroups(std::move(job)), .digest = digest, .submitted = now};
  const std::string name = record.job.name;
  TouchJob(record);
  effects_.notices.push_back({"job", name, JobPhaseName(record.phase), "submitted"});
  const JobRecord& known = state_.jobs.insert_or_assign(name, std::move(record)).first->second;
  JobRun& run = runs_[name] = Derive(known.job, {});
  order_.emplace(OrderOf(known), Queued{&known, &run, {}});
  line_.clear();
  return {};
}

// Jobs that wait for each other would wait for ever.
Status Lifecycle::CheckAfter(const Job& job) const {
  std::vector<std::string> ahead = job.after;
  std::set<std::string> seen(ahead.begin(), ahead.end());
  while (!ahead.empty()) {
    const auto found = state_.jobs.find(ahead.back());
    ahead.pop_back();
    if (found == state_.jobs.end() || IsEnded(found->second.phase)) continue;
    for (const std::string& name : found->second.job.after) {
      if (name == job.name) {
        return FailField("after",
                         "job {} waits for itself by way of {}: expected an order that ends",
                         job.name, found->first);
      }
      if (seen.insert(name).second) ahead.push_back(name);
    }
  }
  return {};
}

Status Lifecycle::Kill(const std::string& job, Instant now) {
  const auto found = state_.jobs.find(job);
  if (found == state_.jobs.end()) return Fail(ErrorCode::kNotFound, "job {} is not known", job);
  JobRecord& record = found->second;
  if (IsEnded(record.phase) || record.phase == JobPhase::kKilling) return {};
  SetPhase(record, JobPhase::kKilling, "killed by request", now);
  KillLive(record, now);
  CheckJob(job, now);
  return {};
}

Status Lifecycle::EndAll(Instant now) {
  if (!ending_) ending_ = now;
  std::vector<std::string> names;
  for (const auto& [order, queued] : order_) names.push_back(queued.record->job.name);
  for (const std::string& name : names) static_cast<void>(Kill(name, now));
  const size_t tasks = LiveTasks([](const Task&) { return true; }).size();
  if ((tasks == 0 && state_.volumes.empty()) || now >= *ending_ + kEndingWait) return {};
  return Fail(ErrorCode::kUnavailable, "tasks left: {}, volumes left: {}; expected none of them",
              tasks, state_.volumes.size());
}

Status Lifecycle::KillTask(const TaskId& id, Instant now) {
  const auto found = state_.tasks.find(id);
  if (found == state_.tasks.end()) {
    return Fail(ErrorCode::kNotFound, "task {} is not known", id.text);
  }
  if (IsTerminal(found->second.state)) {
    return Fail(ErrorCode::kFailedPrecondition, "task {} is {}: expected one that lives", id.text,
                TaskStateName(found->second.state));
  }
  WantKill(found->second, now);
  return {};
}

void Lifecycle::SetPhase(JobRecord& record, JobPhase phase, std::string message, Instant now) {
  const std::string& name = record.job.name;
  record.phase = phase;
  runs_.at(name).changed = true;
  record.message = std::move(message);
  TouchJob(record);
  effects_.notices.push_back({"job", name, JobPhaseName(phase), record.message});
  if (phase == JobPhase::kKilling || IsEnded(phase)) DropClaim(record);
  if (!IsEnded(phase)) return;
  std::erase_if(evicted_, [&](const auto& entry) { return entry.first.first == name; });
  record.ended = now;
  volumes_.Release(name, now);
  order_.erase(OrderOf(record));
  line_.clear();
  runs_.at(name).groups.clear();
  ended_jobs_.emplace(now, name);
}

void Lifecycle::KillLive(const JobRecord& record, Instant now) {
  const std::set<TaskId> live = runs_.at(record.job.name).live;
  for (const TaskId& id : live) WantKill(state_.tasks.at(id), now);
}

// Ends a job whose time has come.
void Lifecycle::CheckJob(const std::string& job, Instant now) {
  const auto found = state_.jobs.find(job);
  if (found == state_.jobs.end() || IsEnded(found->second.phase)) return;
  JobRecord& record = found->second;
  const JobRun& run = runs_.at(job);
  if (record.phase == JobPhase::kKilling) {
    // A task that is cut off is killed whenever it comes back: nobody waits for that.
    const bool stopped = std::all_of(run.live.begin(), run.live.end(), [this](const TaskId& id) {
      return state_.tasks.at(id).state == TaskState::kUnreachable;
    });
    if (stopped) SetPhase(record, JobPhase::kKilled, record.message, now);
  } else if (EndsByItself(record.job.kind) &&
             std::all_of(run.groups.begin(), run.groups.end(),
                         [](const GroupRun& group) { return group.Finished(); })) {
    SetPhase(record, JobPhase::kSucceeded, "", now);
  }
  ForgetOldest();
}

void Lifecycle::ForgetOldest() {
  while (ended_jobs_.size() > settings_.ended_jobs_max) Forget(ended_jobs_.begin()->second);
}

// Tasks of it that still live somewhere are killed as strangers when they are heard of.
void Lifecycle::Forget(std::string job) {
  const auto found = state_.jobs.find(job);
  ended_jobs_.erase({found->second.ended, job});
  // Task ids begin with the name of their job, and a name holds no point.
  auto task = state_.tasks.lower_bound({job + "."});
  while (task != state_.tasks.end() && task->second.member.job == job) {
    effects_.tasks.insert(task->first);
    if (Counts(task->second)) {
      usage_.End(found->second.job.role, AmountsOf(task->second.resources), found->second.ended);
      running_.End(task->second);
    }
    cut_off_.erase(task->first);
    kills_.erase(task->first);
    reconciliation_.Answered(task->first);
    if (!IsTerminal(task->second.state)) {
      // It may come back as a stranger: its executor gets nothing beside it.
      executors_.Retire(task->second.executor);
      executors_.Ended(task->second.executor, task->second.resources, found->second.ended);
    }
    Uncount(task->second);
    task = state_.tasks.erase(task);
  }
  runs_.erase(job);
  effects_.jobs.insert(job);
  auto forgotten = state_.jobs.extract(found);
  if (const auto held = held_jobs_.lock()) held->push_back(std::move(forgotten));
}

std::shared_ptr<const void> Lifecycle::HoldJobs() const {
  auto held = held_jobs_.lock();
  if (held == nullptr) held_jobs_ = held = std::make_shared<ForgottenJobs>();
  return held;
}

// Jobs that wait for one may start, or have to wait again.
void Lifecycle::ModelsChanged() {
  for (auto& [job, run] : runs_) run.changed = true;
}

Result<int64_t> Lifecycle::Register(ModelVersion version, Instant now) {
  Model& model = state_.models[version.model];
  model.name = version.model;
  if (!version.job.empty()) {
    for (const auto& [number, old] : model.versions) {
      if (old.job == version.job && old.job_digest == version.job_digest) return number;
    }
  }
  version.version = model.versions.empty() ? 1 : model.versions.rbegin()->first + 1;
  version.created = now;
  effects_.models.insert(model.name);
  effects_.notices.push_back(
      {"model", fmt::format("{}/{}", model.name, version.version), "REGISTERED", version.uri});
  const int64_t number = version.version;
  model.versions[number] = std::move(version);
  ModelsChanged();
  return number;
}

Status Lifecycle::SetLabel(const std::string& name, const std::string& label,
                           std::optional<int64_t> version) {
  const auto found = state_.models.find(name);
  if (found == state_.models.end()) {
    return Fail(ErrorCode::kNotFound, "model {} is not registered", name);
  }
  Model& model = found->second;
  if (!version) {
    if (model.labels.erase(label) == 0) {
      return Fail(ErrorCode::kNotFound, "model {} has no label {}", name, label);
    }
  } else if (!model.versions.contains(*version)) {
    return Fail(ErrorCode::kNotFound, "model {} has no version {}, the latest is {}", name,
                *version, model.versions.rbegin()->first);
  } else {
    model.labels[label] = *version;
  }
  effects_.models.insert(name);
  ModelsChanged();
  effects_.notices.push_back(
      {"model", name, "LABELLED",
       version ? fmt::format("{} is version {}", label, *version) : label + " is removed"});
  return {};
}

}  // namespace kiln::scheduler
