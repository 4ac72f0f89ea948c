#include "scheduler/lifecycle/lifecycle.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "base/check.h"
#include "scheduler/placement/needs.h"

namespace kiln::scheduler {

const char* JobPhaseName(JobPhase phase) {
  switch (phase) {
    case JobPhase::kWaiting:
      return "WAITING";
    case JobPhase::kRunning:
      return "RUNNING";
    case JobPhase::kSucceeded:
      return "SUCCEEDED";
    case JobPhase::kFailed:
      return "FAILED";
    case JobPhase::kKilling:
      return "KILLING";
    case JobPhase::kKilled:
      return "KILLED";
  }
  return "";
}

Lifecycle::Lifecycle(State state, Settings settings, uint64_t seed)
    : state_(std::move(state)),
      settings_(std::move(settings)),
      random_(seed),
      usage_(settings_.sharing.half_life),
      reconciliation_(settings_),
      volumes_(settings_, state_, effects_),
      quarantine_(settings_.quarantine, state_, effects_) {
  ++state_.incarnation;
  effects_.meta = true;
  std::unordered_map<std::string, std::vector<const Task*>> tasks;
  std::unordered_set<AgentId> agents;
  for (const auto& [id, task] : state_.tasks) {
    ++CountOf(counts_, task.state);
    tasks[task.member.job].push_back(&task);
    agents.insert(task.agent);
    if (IsTerminal(task.state)) continue;
    if (task.executor.text != task.id.text) {
      executors_.Adopt(task.executor, task.agent, task.resources);
    }
    if (task.kill_wanted) kills_[id] = {task.agent, {}};
    if (task.state == TaskState::kUnreachable && UnreachableWait(task)) cut_off_[id] = {};
  }
  for (const auto& [name, record] : state_.jobs) {
    runs_[name] = Derive(record.job, tasks[name]);
    if (IsEnded(record.phase)) {
      runs_[name].groups.clear();
      ended_jobs_.emplace(record.ended, name);
    } else {
      order_.emplace(OrderOf(record), Queued{&record, &runs_[name], {}});
    }
    if (record.claim) claimants_.insert(name);
  }
  for (const auto& [id, task] : state_.tasks) {
    CountPast(task);
    if (task.preempted_by.empty() || !IsTerminal(task.state)) continue;
    const auto [group, member] = Find(task.member);
    const bool last = member != nullptr && member->attempts == task.attempt + 1;
    if (last && !member->finished) evicted_[{task.member.job, task.member.group}] = id;
  }
  for (const auto& [id, volume] : state_.volumes) agents.insert(volume.agent);
  // Agents without either are of no use to anybody.
  for (auto agent = state_.agents.begin(); agent != state_.agents.end();) {
    if (agents.contains(agent->first)) {
      ++agent;
    } else {
      effects_.agents.insert(agent->first);
      agent = state_.agents.erase(agent);
    }
  }
  for (const auto& [id, agent] : state_.agents) agents_.emplace(id, &agent);
}

Lifecycle::Order Lifecycle::OrderOf(const JobRecord& record) const {
  return {PrecedenceOf(record.job.priority, record.submitted, settings_.sharing.ageing),
          record.job.name};
}

Lifecycle::Place Lifecycle::Find(const MemberId& id) {
  const auto record = state_.jobs.find(id.job);
  const auto run = runs_.find(id.job);
  if (record == state_.jobs.end() || run == runs_.end()) return {};
  return FindIn(record->second, run->second, id);
}

Lifecycle::Place Lifecycle::FindIn(const JobRecord& record, JobRun& run, const MemberId& id) {
  const auto index = static_cast<size_t>(GroupIndex(record.job, id.group));
  run.changed = true;  // as whoever asks may do to the member
  if (index >= run.groups.size()) return {};
  GroupRun& group = run.groups[index];
  const auto member = static_cast<size_t>(id.index);
  if (member >= group.members.size()) return {};
  return {&group, &group.members[member]};
}

JobRecord* Lifecycle::RecordOf(const Task& task) {
  const auto record = state_.jobs.find(task.member.job);
  return record == state_.jobs.end() ? nullptr : &record->second;
}

void Lifecycle::Touch(const Task& task) { effects_.tasks.insert(task.id); }
void Lifecycle::TouchJob(const JobRecord& record) { effects_.jobs.insert(record.job.name); }

std::string Lifecycle::NextId() {
  return std::to_string(state_.incarnation) + "-" + std::to_string(++counter_);
}

void Lifecycle::Call(std::vector<ReconcileCall> calls) {
  for (ReconcileCall& call : calls) effects_.reconciles.push_back(std::move(call));
}

TasksAsked Lifecycle::LiveTasks(const std::function<bool(const Task&)>& wanted) const {
  TasksAsked tasks;
  for (const auto& [id, task] : state_.tasks) {
    if (!IsTerminal(task.state) && wanted(task)) tasks.emplace_hint(tasks.end(), id, task.agent);
  }
  return tasks;
}

void Lifecycle::Subscribed(const std::string& framework_id, Instant now) {
  if (state_.framework_id != framework_id) {
    state_.framework_id = framework_id;
    effects_.meta = true;
  }
  BeginRound(now);
  volumes_.Subscribed(now);
}

void Lifecycle::BeginRound(Instant now) {
  asked_ = {};
  auto [tasks, more] = NextPortion();
  Call(reconciliation_.Begin(std::move(tasks), more, now));
}

void Lifecycle::ContinueRound(Instant now) {
  const auto [tasks, more] = NextPortion();
  Call(reconciliation_.Continue(tasks, more, now));
}

// The next tasks that have not ended, and whether others follow.
std::pair<TasksAsked, bool> Lifecycle::NextPortion() {
  TasksAsked tasks;
  auto task = state_.tasks.upper_bound(asked_);
  for (; task != state_.tasks.end() && tasks.size() < settings_.reconcile_portion; ++task) {
    if (!IsTerminal(task->second.state)) {
      tasks.emplace_hint(tasks.end(), task->first, task->second.agent);
    }
  }
  const bool more = task != state_.tasks.end();
  if (!tasks.empty()) asked_ = tasks.rbegin()->first;
  return {std::move(tasks), more};
}

void Lifecycle::Disconnected() {
  reconciliation_.End();
  volumes_.Disconnected();
  seen_.clear();
}

void Lifecycle::FrameworkRemoved(Instant now) {
  Disconnected();
  for (const auto& [id, agent] : LiveTasks([](const Task&) { return true; })) {
    const auto task = state_.tasks.find(id);
    if (task == state_.tasks.end()) continue;  // forgotten with its job
    End(task->second, TaskState::kLost, "FRAMEWORK_REMOVED",
        "the master has removed framework " + state_.framework_id, now);
  }
  executors_ = {};
  kills_.clear();
  state_.framework_id.clear();
  effects_.meta = true;
}

void Lifecycle::AgentLost(const AgentId& agent, Instant now) {
  executors_.RetireAgent(agent);
  quarantine_.AgentLost(agent);
  Call(reconciliation_.Ask(LiveTasks([&](const Task& task) { return task.agent == agent; }), now));
}

void Lifecycle::ExecutorLost(const ExecutorId& executor, const AgentId& agent, Instant now) {
  executors_.Retire(executor);
  const auto carried = [&](const Task& task) {
    return task.agent == agent && task.executor == executor;
  };
  Call(reconciliation_.Ask(LiveTasks(carried), now));
}

void Lifecycle::ExecutorsSeen(const AgentId& agent, const std::vector<ExecutorId>& executors,
                              Instant now) {
  executors_.Seen(agent, executors);
  if (!executors.empty()) seen_[agent] = executors;
  if (Settled(now)) ShutDownStrangers();
}

Bars Lifecycle::BarsFor(const std::vector<Offer>& offers) const {
  Bars bars = quarantine_.GetBars();
  executors_.AddHeld(offers, bars);
  return bars;
}

void Lifecycle::ShutDownStrangers() {
  for (const auto& [agent, executors] : std::exchange(seen_, {})) {
    for (const ExecutorId& executor : executors) {
      const bool own = state_.tasks.contains({executor.text});
      if (own || executors_.Known(executor)) continue;
      effects_.shutdowns.push_back({executor, agent});
      effects_.meta = true;  // as for tasks that nobody here knows
    }
  }
}

// Its own, or one that others share.
void Lifecycle::GiveExecutor(const Job& job, const Group& spec, Task& task, LaunchCall& start) {
  task.executor.text = task.id.text;
  if (!task.resources.gpu_shares.empty()) {
    const GpuShare& share = task.resources.gpu_shares[0];
    start.device = share.id;
    const std::string role = OfferRole(job.role);
    start.pool = DevicePool(share.id, role);
    const auto use =
        executors_.AddShare(role, share, task.agent, {fmt::format("gpu.{}", NextId())});
    task.executor = use.executor;
    start.new_executor = use.is_new;
  } else if (SharesExecutor(spec) && !SharesDevice(spec)) {
    start.pool = ExecutorPool(job, spec, OfferRole(job.role));
    const std::string& owner = job.pool.empty() ? job.name : job.pool;
    const auto use =
        executors_.Add(start.pool, task.agent, {fmt::format("{}.{}", owner, NextId())});
    task.executor = use.executor;
    start.new_executor = use.is_new;
  }
}

void Lifecycle::LaunchAll(const std::vector<Launch>& launches,
                          const std::map<AgentId, Agent>& agents, Instant now) {
  // Of the launch before: the task of the next member stands close by.
  auto before = state_.tasks.end();
  auto job = state_.jobs.end();
  auto run = runs_.end();
  for (const Launch& launch : launches) {
    if (job == state_.jobs.end() || job->first != launch.member.job) {
      job = state_.jobs.find(launch.member.job);
      run = runs_.find(launch.member.job);
    }
    JobRecord& record = job->second;
    const auto [group, member] = FindIn(record, run->second, launch.member);
    KILN_CHECK(group != nullptr && group->ready.Erase(launch.member.index));
    const Agent*& agent = agents_[launch.agent];
    if (agent == nullptr) {
      agent = &state_.agents.emplace(launch.agent, agents.at(launch.agent)).first->second;
      effects_.agents.insert(launch.agent);
    }

    const Group& spec = *FindGroup(record.job, launch.member.group);
    Task task{.id = {launch.member.job + "." + launch.member.group + "." +
                     std::to_string(launch.member.index) + "." + NextId()},
              .member = launch.member,
              .attempt = member->attempts++,
              .failures = member->failures,
              .evictions = member->evictions,
              .agent = launch.agent,
              .hostname = agent->hostname,
              .resources = launch.resources,
              .launched = now};
    LaunchCall start{.task = task.id, .offers = launch.offers};
    GiveExecutor(record.job, spec, task, start);
    if (!spec.volumes.empty()) {
      start.volumes = volumes_.Launch(
          task, spec, OfferRole(record.job.role), [this] { return NextId(); }, now, task.resources);
    }
    ++group->live;
    ComesBack(launch.member);
    while (member->ended.size() > settings_.attempts_kept) {
      const auto oldest = state_.tasks.find(member->ended.front());
      Uncount(oldest->second);
      state_.tasks.erase(oldest);
      effects_.tasks.insert(member->ended.front());
      member->ended.erase(member->ended.begin());
    }
    run->second.live.insert(task.id);
    effects_.starts.push_back(std::move(start));
    const auto behind = before == state_.tasks.end() ? before : std::next(before);
    before = state_.tasks.try_emplace(behind, task.id, std::move(task));
    const Task& known = before->second;
    ++CountOf(counts_, known.state);
    usage_.Start(record.job.role, AmountsOf(known.resources), now);
    StartRunning(record.job, run->second, known);
    Touch(known);
    quarantine_.Launched(known);
    member->live = &known;
    UseClaim(record);
  }
}

bool Lifecycle::RemoveVolumes(const Offer& offer, Instant now) {
  auto call = volumes_.Offered(offer, now);
  if (!call) return false;
  effects_.removals.push_back(*std::move(call));
  return true;
}

void Lifecycle::Tick(Instant now) {
  while (!resting_.empty() && resting_.begin()->first <= now) {
    const MemberId id = resting_.begin()->second;
    resting_.erase(resting_.begin());
    const auto [group, member] = Find(id);
    if (group != nullptr && group->resting.Erase(id.index)) group->ready.Insert(id.index);
  }
  std::vector<TaskId> overdue;
  for (auto& [id, until] : cut_off_) {
    if (until.nanoseconds == 0) until = now + *UnreachableWait(state_.tasks.at(id));
    if (until <= now) overdue.push_back(id);
  }
  for (const TaskId& id : overdue) GiveUp(state_.tasks.at(id), now);
  if (Settled(now)) {
    ShutDownStrangers();
    std::vector<std::pair<TaskId, AgentId>> again;
    for (const auto& [id, kill] : kills_) {
      if (kill.second <= now) again.emplace_back(id, kill.first);
    }
    for (const auto& [id, agent] : again) SendKill(id, agent, now);
    for (ShutdownCall& call : executors_.TakeIdle(now, settings_.executor_idle)) {
      effects_.shutdowns.push_back(std::move(call));
    }
  }
  quarantine_.Tick(now);
  volumes_.Tick(now);
  TickClaims(now);
  if (reconciliation_.RoundDue(now)) BeginRound(now);
  if (reconciliation_.ContinueDue(now)) ContinueRound(now);
  Call(reconciliation_.Tick(now));
}

std::optional<Instant> Lifecycle::NextTick(Instant now) const {
  std::optional<Instant> next = reconciliation_.Next(now);
  const auto earlier = [&next](Instant instant) {
    if (!next || instant < *next) next = instant;
  };
  if (!resting_.empty()) earlier(resting_.begin()->first);
  for (const auto& [id, until] : cut_off_) earlier(until);
  if (Settled(now)) {
    for (const auto& [id, kill] : kills_) earlier(kill.second);
    if (const auto idle = executors_.NextIdle(settings_.executor_idle)) earlier(*idle);
  }
  if (const auto due = quarantine_.Next()) earlier(*due);
  if (const auto due = volumes_.Next()) earlier(*due);
  for (const std::string& job : claimants_) earlier(state_.jobs.at(job).claim->until);
  return next;
}

}  // namespace kiln::scheduler
