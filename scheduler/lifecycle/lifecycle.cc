#include "scheduler/lifecycle/lifecycle.h"

#include <algorithm>

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
      quarantine_(settings_.quarantine, state_, effects_) {
  ++state_.incarnation;
  effects_.meta = true;
  std::map<std::string, std::vector<const Task*>> tasks;
  std::set<AgentId> agents;
  for (const auto& [id, task] : state_.tasks) {
    tasks[task.member.job].push_back(&task);
    agents.insert(task.agent);
    CountPast(task);
    if (IsTerminal(task.state)) continue;
    if (task.executor.text != task.id.text) executors_.Adopt(task.executor, task.agent);
    if (task.kill_wanted) kills_[id] = {task.agent, {}};
    if (task.state == TaskState::kUnreachable && !task.kill_wanted) cut_off_[id] = {};
  }
  for (const auto& [name, record] : state_.jobs) {
    runs_[name] = Derive(record.job, tasks[name]);
    if (IsEnded(record.phase)) {
      runs_[name].groups.clear();
      ended_jobs_.emplace(record.ended, name);
    } else {
      order_.insert(OrderOf(record));
    }
  }
  // Agents without tasks are of no use to anybody.
  for (auto agent = state_.agents.begin(); agent != state_.agents.end();) {
    if (agents.contains(agent->first)) {
      ++agent;
    } else {
      effects_.agents.insert(agent->first);
      agent = state_.agents.erase(agent);
    }
  }
}

Lifecycle::Order Lifecycle::OrderOf(const JobRecord& record) const {
  return {PrecedenceOf(record.job.priority, record.submitted, settings_.sharing.ageing),
          record.job.name};
}

Lifecycle::Place Lifecycle::Find(const MemberId& id) {
  const auto record = state_.jobs.find(id.job);
  const auto run = runs_.find(id.job);
  if (record == state_.jobs.end() || run == runs_.end()) return {};
  const auto index = static_cast<size_t>(GroupIndex(record->second.job, id.group));
  if (index >= run->second.groups.size()) return {};
  GroupRun& group = run->second.groups[index];
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

std::string Lifecycle::NextId() { return fmt::format("{}-{}", state_.incarnation, ++counter_); }

void Lifecycle::Call(std::vector<ReconcileCall> calls) {
  for (ReconcileCall& call : calls) effects_.reconciles.push_back(std::move(call));
}

TasksAsked Lifecycle::LiveTasks() const {
  TasksAsked tasks;
  for (const auto& [id, task] : state_.tasks) {
    if (!IsTerminal(task.state)) tasks[id] = task.agent;
  }
  return tasks;
}

void Lifecycle::Subscribed(const std::string& framework_id, Instant now) {
  if (state_.framework_id != framework_id) {
    state_.framework_id = framework_id;
    effects_.meta = true;
  }
  Call(reconciliation_.Begin(LiveTasks(), now));
}

void Lifecycle::Disconnected() { reconciliation_.End(); }

void Lifecycle::FrameworkRemoved(Instant now) {
  reconciliation_.End();
  for (const auto& [id, agent] : LiveTasks()) {
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
  executors_.DropAgent(agent);
  quarantine_.AgentLost(agent);
  TasksAsked tasks = LiveTasks();
  std::erase_if(tasks, [&](const auto& task) { return task.second != agent; });
  Call(reconciliation_.Ask(tasks, now));
}

void Lifecycle::ExecutorLost(const ExecutorId& executor, const AgentId& agent, Instant now) {
  executors_.Drop(executor);
  TasksAsked tasks = LiveTasks();
  std::erase_if(tasks, [&](const auto& task) {
    return task.second != agent || state_.tasks.at(task.first).executor != executor;
  });
  Call(reconciliation_.Ask(tasks, now));
}

void Lifecycle::ExecutorsSeen(const AgentId& agent, const std::vector<ExecutorId>& executors) {
  for (const ExecutorId& executor : executors) {
    const bool own = state_.tasks.contains({executor.text});
    if (!own && !executors_.Known(executor)) effects_.shutdowns.push_back({executor, agent});
  }
}

void Lifecycle::LaunchAll(const std::vector<Launch>& launches,
                          const std::map<AgentId, Agent>& agents, Instant now) {
  for (const Launch& launch : launches) {
    const JobRecord& record = state_.jobs.at(launch.member.job);
    const auto [group, member] = Find(launch.member);
    KILN_CHECK(group != nullptr && group->ready.Erase(launch.member.index));
    const Agent& agent = agents.at(launch.agent);
    if (state_.agents.try_emplace(agent.id, agent).second) effects_.agents.insert(agent.id);

    const Group& spec =
        record.job.groups[static_cast<size_t>(GroupIndex(record.job, launch.member.group))];
    Task task{.id = {fmt::format("{}.{}.{}.{}", launch.member.job, launch.member.group,
                                 launch.member.index, NextId())},
              .member = launch.member,
              .attempt = member->attempts++,
              .failures = member->failures,
              .agent = launch.agent,
              .hostname = agent.hostname,
              .resources = launch.resources,
              .launched = now};
    LaunchCall start{.task = task.id, .offers = launch.offers};
    task.executor.text = task.id.text;
    if (!launch.resources.gpu_shares.empty()) {
      const GpuShare& share = launch.resources.gpu_shares[0];
      start.device = share.id;
      const std::string role = OfferRole(record.job.role);
      start.pool = DevicePool(share.id, role);
      const auto use =
          executors_.AddShare(role, share, launch.agent, {fmt::format("gpu.{}", NextId())});
      task.executor = use.executor;
      start.new_executor = use.is_new;
    } else if (SharesExecutor(spec) && !SharesDevice(spec)) {
      start.pool = ExecutorPool(record.job, OfferRole(record.job.role));
      const std::string& owner = record.job.pool.empty() ? record.job.name : record.job.pool;
      const auto use =
          executors_.Add(start.pool, launch.agent, {fmt::format("{}.{}", owner, NextId())});
      task.executor = use.executor;
      start.new_executor = use.is_new;
    }
    member->live = task.id;
    ++group->live;
    while (member->ended.size() > settings_.attempts_kept) {
      state_.tasks.erase(member->ended.front());
      effects_.tasks.insert(member->ended.front());
      member->ended.pop_front();
    }
    runs_.at(launch.member.job).live.insert(task.id);
    effects_.starts.push_back(std::move(start));
    Count(task, false, now);
    Touch(task);
    quarantine_.Launched(task);
    state_.tasks.emplace(task.id, std::move(task));
  }
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
    if (until.nanoseconds == 0) until = now + settings_.unreachable_wait;
    if (until <= now) overdue.push_back(id);
  }
  for (const TaskId& id : overdue) GiveUp(state_.tasks.at(id), now);
  if (Settled(now)) {
    std::vector<std::pair<TaskId, AgentId>> again;
    for (const auto& [id, kill] : kills_) {
      if (kill.second <= now) again.emplace_back(id, kill.first);
    }
    for (const auto& [id, agent] : again) SendKill(id, agent, now);
  }
  quarantine_.Tick(now);
  for (ShutdownCall& call : executors_.TakeIdle(now, settings_.executor_idle)) {
    effects_.shutdowns.push_back(std::move(call));
  }
  if (reconciliation_.RoundDue(now)) Call(reconciliation_.Begin(LiveTasks(), now));
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
  }
  if (const auto idle = executors_.NextIdle(settings_.executor_idle)) earlier(*idle);
  if (const auto due = quarantine_.Next()) earlier(*due);
  return next;
}

}  // namespace kiln::scheduler
