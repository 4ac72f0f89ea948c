// What Mesos tells of tasks.
#include <algorithm>

#include "scheduler/lifecycle/charge.h"
#include "scheduler/lifecycle/lifecycle.h"
#include "scheduler/lifecycle/pause.h"

namespace kiln::scheduler {
namespace {

constexpr std::string_view kReconciliation = "RECONCILIATION";  // no news: an answer

// A task does not go back: late news of an earlier state changes nothing.
int Rank(TaskState state) {
  switch (state) {
    case TaskState::kStaging:
      return 1;
    case TaskState::kStarting:
      return 2;
    case TaskState::kRunning:
      return 3;
    case TaskState::kKilling:
      return 4;
    default:
      return 0;
  }
}

bool Lives(TaskState state) { return Rank(state) > 0; }

// The member as people name it: "trainer[3]".
std::string NameOf(const MemberId& member) {
  return fmt::format("{}[{}]", member.group, member.index);
}

// Who has to end for another job says so, whatever it says besides.
std::string MessageOf(const Task& task, const std::string& message) {
  if (task.preempted_by.empty() || task.state == TaskState::kFinished) return message;
  return "preempted by " + task.preempted_by + (message.empty() ? "" : ": " + message);
}

}  // namespace

void Lifecycle::Update(const StatusUpdate& update, Instant now) {
  if (!update.uuid.empty()) {
    effects_.acknowledgements.push_back({update.task, update.agent, update.uuid});
  }
  const bool first_word = reconciliation_.Answered(update.task);
  const auto found = state_.tasks.find(update.task);
  if (found != state_.tasks.end() && !update.result.empty()) {
    // The master may have told of the end before the executor does, who knows the result.
    found->second.result = update.result;
    Touch(found->second);
  }
  if (found == state_.tasks.end() || IsTerminal(found->second.state)) {
    return UpdateUnknown(update, now);
  }
  Task& task = found->second;
  if (update.by_executor) {
    executors_.Confirm(task.executor);
    volumes_.Ran(task, now);
  }
  if (!update.sick_gpus.empty()) quarantine_.ReportedSick(task, update.sick_gpus, now);
  // The master knows neither the task nor its agent.
  const TaskState state = update.state == TaskState::kUnknown ? TaskState::kLost : update.state;
  if (IsTerminal(state)) {
    if (update.fraction) task.fraction = *update.fraction;
    // What has ended before the subscription is in the offers that came with it, and what the
    // master tells from memory may be in others.
    if (!first_word && update.reason != kReconciliation) TellFreed(task);
    End(task, state, update.reason, update.message, now);
  } else {
    Progress(task, update, now);
  }
}

void Lifecycle::SetState(Task& task, TaskState state) {
  --CountOf(counts_, task.state);
  task.state = state;
  ++CountOf(counts_, state);
}

void Lifecycle::TellFreed(const Task& task) {
  const JobRecord* record = RecordOf(task);
  if (record == nullptr) return;
  Resources freed = task.resources;
  freed.gpu_shares.clear();  // no resource of Mesos
  effects_.freed.push_back({task.agent, OfferRole(record->job.role), std::move(freed)});
}

// A task that the state has not, or that it believes to have ended: if it lives, it is one copy too
// many.
void Lifecycle::UpdateUnknown(const StatusUpdate& update, Instant now) {
  // Another scheduler that has taken the state over may have launched it: then the commit fails,
  // and nothing is killed or acknowledged.
  effects_.meta = true;
  if (!Lives(update.state)) {
    kills_.erase(update.task);
  } else if (!kills_.contains(update.task)) {
    SendKill(update.task, update.agent, now);
  }
}

void Lifecycle::Progress(Task& task, const StatusUpdate& update, Instant now) {
  const TaskState before = task.state;
  const bool counted = Counts(task);
  if (update.state == TaskState::kUnreachable) {
    SetState(task, update.state);
    if (const auto wait = UnreachableWait(task)) cut_off_.emplace(task.id, now + *wait);
    kills_.erase(task.id);
  } else {
    cut_off_.erase(task.id);
    if (before == TaskState::kUnreachable || Rank(update.state) > Rank(before)) {
      SetState(task, update.state);
    }
    if (task.kill_wanted && !kills_.contains(task.id)) SendKill(task.id, task.agent, now);
  }
  Count(task, counted, now);
  // What is told again, as of a whole cluster after a failover, is not written again.
  bool changed = task.state != before;
  const auto put = [&changed](auto& place, const auto& value) {
    changed = changed || place != value;
    place = value;
  };
  if (task.state == TaskState::kRunning && task.started.nanoseconds == 0) put(task.started, now);
  if (update.healthy) put(task.healthy, update.healthy);
  // An attempt does not lose what it has done: a report may leave its fraction out.
  if (update.fraction) put(task.fraction, std::max(task.fraction, *update.fraction));
  if (!update.endpoint.empty()) put(task.endpoint, update.endpoint);
  if (update.checkpoints > task.checkpoints) {
    put(task.checkpoints, update.checkpoints);
    put(task.checkpointed, now);
  }
  if (update.reason != kReconciliation) {
    put(task.message, MessageOf(task, update.message));
    put(task.reason, update.reason);
  }
  if (changed) Touch(task);
  if (task.state == before) return;
  effects_.notices.push_back({"task", task.id.text, TaskStateName(task.state), task.message});
  const auto [group, member] = Find(task.member);
  if (task.state == TaskState::kRunning) {
    HasRun(task, now);
    if (member != nullptr) member->losses = 0;
  }
  CheckJob(task.member.job, now);
}

void Lifecycle::HasRun(const Task& task, Instant now) {
  JobRecord* record = RecordOf(task);
  if (record != nullptr && record->phase == JobPhase::kWaiting) {
    SetPhase(*record, JobPhase::kRunning, "", now);
  }
}

void Lifecycle::End(Task& task, TaskState state, const std::string& reason,
                    const std::string& message, Instant now) {
  task.charge = Judge(task, state, reason);
  JudgeExecutor(task, state, reason);
  const bool counted = Counts(task);
  SetState(task, state);
  Count(task, counted, now);
  task.reason = reason;
  task.message = MessageOf(task, message);
  if (state == TaskState::kError) {
    const std::string lacks = volumes_.Lacks(task).value_or("");
    if (!lacks.empty()) task.message = lacks;
  }
  task.ended = now;
  if (state == TaskState::kFinished) {
    task.fraction = 1;
    HasRun(task, now);  // quick work tells its end alone
  }
  Remember(task);
  Touch(task);
  effects_.notices.push_back({"task", task.id.text, TaskStateName(state), task.message});
  kills_.erase(task.id);
  cut_off_.erase(task.id);
  executors_.Ended(task.executor, task.resources, now);
  const auto run = runs_.find(task.member.job);
  if (run != runs_.end()) run->second.live.erase(task.id);
  quarantine_.Ended(task, LikenessOfWork(task), now);
  FreeMember(task, now);
  CheckJob(task.member.job, now);
}

uint64_t Lifecycle::LikenessOfWork(const Task& task) {
  const JobRecord* record = RecordOf(task);
  const Group* group = record == nullptr ? nullptr : FindGroup(record->job, task.member.group);
  return group == nullptr ? 0 : LikenessOf(*group);
}

// A task that never reached a shared executor may be refused because the launch that was to bring
// that executor failed, or because Mesos has lost sight of it: once, that is the cluster's doing.
Charge Lifecycle::Judge(const Task& task, TaskState state, const std::string& reason) {
  const bool refused = state == TaskState::kError && reason == "TASK_INVALID";
  if (refused && executors_.Known(task.executor)) {
    const auto [group, member] = Find(task.member);
    if (member != nullptr && member->losses == 0) return Charge::kCluster;
  }
  if (state == TaskState::kError && volumes_.Lacks(task)) return Charge::kCluster;
  return ChargeOf(state, reason, task.kill_wanted);
}

// Whether further tasks may be sent to a shared executor after this end.
void Lifecycle::JudgeExecutor(const Task& task, TaskState state, const std::string& reason) {
  switch (state) {
    case TaskState::kFinished:
    case TaskState::kKilled:
      return;
    case TaskState::kError:
      if (!executors_.Confirmed(task.executor)) executors_.Retire(task.executor);
      return;
    case TaskState::kFailed:
      // Work that failed has said so itself; anything else tells of the container.
      if (!reason.empty() && reason != "TASK_INVALID" && reason != "MAX_COMPLETION_TIME_REACHED") {
        executors_.Retire(task.executor);
      }
      return;
    default:
      executors_.Retire(task.executor);
  }
}

void Lifecycle::FreeMember(const Task& task, Instant now) {
  const auto [group, member] = Find(task.member);
  if (member == nullptr) return;
  member->ended.push_back(task.id);
  const JobRecord& record = *RecordOf(task);
  const bool killing = record.phase == JobPhase::kKilling;
  const bool finished =
      !killing && task.state == TaskState::kFinished && EndsByItself(record.job.kind);
  if (member->live == &task) {
    member->live = nullptr;
    --group->live;
    if (!task.preempted_by.empty()) Evicted(task, *group, *member);
    if (killing) return;
  } else {
    // It was given up while its agent was cut off: what it has done counts until another attempt
    // begins.
    const bool newest = member->live == nullptr && member->attempts == task.attempt + 1;
    if (!finished || !newest) return;
    group->ready.Erase(task.member.index);
    group->resting.Erase(task.member.index);
  }
  if (finished) {
    member->finished = true;
    ++group->finished;
    running_.Finish(task.member);
    return;
  }
  switch (task.charge) {
    case Charge::kJob:
      return Spend(task, *group, *member, now);
    case Charge::kCluster:
      return Rest(task.member, *group, *member, member->losses++, now);
    case Charge::kNone:
      // A service that ends by itself is begun again, but not without a pause.
      return Rest(task.member, *group, *member, task.kill_wanted ? 0 : ++member->losses, now);
  }
}

// One more failure of the job's own.
void Lifecycle::Spend(const Task& task, GroupRun& group, Member& member, Instant now) {
  JobRecord& record = *RecordOf(task);
  const bool sound = task.started.nanoseconds > 0 && now - task.started >= settings_.sound_after;
  member.failures = task.failures + 1;
  if (!EndsByItself(record.job.kind)) {
    if (sound) member.failures = 1;
  } else if (member.failures > record.job.retries) {
    SetPhase(record, JobPhase::kFailed,
             fmt::format("{} failed {} of {} times: {}", NameOf(task.member), member.failures,
                         record.job.retries + 1,
                         task.message.empty() ? TaskStateName(task.state) : task.message),
             now);
    return KillLive(record, now);
  }
  Rest(task.member, group, member, member.failures, now);
}

// The pause doubles with the number of times; none for the first after 0.
void Lifecycle::Rest(const MemberId& id, GroupRun& group, Member& member, int times, Instant now) {
  if (times == 0) {
    group.ready.Insert(id.index);
    return;
  }
  const Duration half = DoubledPause(settings_.rest_min, times - 1, settings_.rest_max) / 2;
  member.rests_until =
      now + half +
      Duration(static_cast<int64_t>(static_cast<double>(half.count()) * random_.Unit()));
  group.resting.Insert(id.index);
  resting_.emplace(member.rests_until, id);
}

// How long it is waited for while its agent is cut off. None: it has been given up, or is waited
// for for ever, as where its member's data are.
std::optional<Duration> Lifecycle::UnreachableWait(const Task& task) {
  if (GivenUp(task) || !task.resources.volumes.empty()) return std::nullopt;
  const JobRecord* record = RecordOf(task);
  const Duration wait = record != nullptr && record->job.unreachable_wait
                            ? *record->job.unreachable_wait
                            : settings_.unreachable_wait;
  return wait == kForever ? std::nullopt : std::optional(wait);
}

// Its agent has been cut off for too long: another attempt may begin, and this one is killed when
// it comes back.
void Lifecycle::GiveUp(Task& task, Instant now) {
  cut_off_.erase(task.id);
  const auto [group, member] = Find(task.member);
  const bool waited_for =
      member != nullptr && member->live == &task && RecordOf(task)->phase != JobPhase::kKilling;
  if (!waited_for) return;
  const bool counted = Counts(task);
  task.kill_wanted = true;
  Count(task, counted, now);
  task.charge = Charge::kCluster;
  Touch(task);
  effects_.notices.push_back(
      {"task", task.id.text, TaskStateName(task.state), "given up: its agent is cut off"});
  executors_.Retire(task.executor);
  member->live = nullptr;
  --group->live;
  if (!task.preempted_by.empty()) Evicted(task, *group, *member);
  Rest(task.member, *group, *member, member->losses++, now);
}

void Lifecycle::WantKill(Task& task, Instant now) {
  if (!task.kill_wanted) {
    task.kill_wanted = true;
    Count(task, true, now);
    if (Counts(task)) running_.Leave(task);
  }
  Touch(task);
  if (task.state != TaskState::kUnreachable) {
    task.kill_sent = now;
    SendKill(task.id, task.agent, now);
  }
}

void Lifecycle::SendKill(const TaskId& task, const AgentId& agent, Instant now) {
  kills_[task] = {agent, now + settings_.kill_again};
  effects_.kills.push_back({task, agent});
}

}  // namespace kiln::scheduler
