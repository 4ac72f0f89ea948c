#include "executor/protocol/protocol.h"

#include <algorithm>

#include "base/utf8.h"

namespace kiln::executor {
namespace {

using mesos::v1::CheckInfo;
using mesos::v1::CheckStatusInfo;
using mesos::v1::TaskInfo;
using mesos::v1::TaskState;
using mesos::v1::TaskStatus;

// A start that takes less is not worth an update, and an acknowledgement, of its own.
constexpr Duration kQuickStart = std::chrono::milliseconds(100);
// Among more tasks than these, work that ends well within that time tells its end alone: half the
// updates, each of which goes through agent, master and scheduler and back.
constexpr size_t kCrowd = 16;
constexpr Duration kQuickWork = std::chrono::milliseconds(2);
constexpr Duration kKillGrace = std::chrono::seconds(3);  // of Mesos's command executor
constexpr Duration kDeadlineGrace = std::chrono::milliseconds(100);
constexpr Duration kProgressPause = std::chrono::seconds(1);
constexpr Duration kResendPause = std::chrono::milliseconds(500);
constexpr Duration kAcknowledgeTime = std::chrono::minutes(1);  // of Mesos's executors

Duration GraceOf(const TaskInfo& info) {
  if (!info.kill_policy().has_grace_period()) return kKillGrace;
  return Duration(info.kill_policy().grace_period().nanoseconds());
}

// A checked task's status always carries a status of that type of check.
CheckStatusInfo NotChecked(CheckInfo::Type type) {
  CheckStatusInfo status;
  status.set_type(type);
  switch (type) {
    case CheckInfo::COMMAND:
      status.mutable_command();
      break;
    case CheckInfo::HTTP:
      status.mutable_http();
      break;
    case CheckInfo::TCP:
      status.mutable_tcp();
      break;
    case CheckInfo::UNKNOWN:
      break;
  }
  return status;
}

void Earlier(std::optional<Instant>& first, std::optional<Instant> other) {
  if (other && (!first || *other < *first)) first = other;
}

}  // namespace

Protocol::Protocol(ProtocolOptions options, uint64_t seed) : options_(options), random_(seed) {}

std::vector<Effect> Protocol::On(const Input& input, Instant now) {
  now_ = now;
  if (!exited_) {
    std::visit([this](const auto& event) { Handle(event); }, input);
    CheckExit();
  }
  return std::exchange(effects_, {});
}

std::optional<Instant> Protocol::NextTimer() const {
  std::optional<Instant> next;
  if (exited_) return next;
  for (const auto& [id, task] : tasks_) {
    if (task.done) continue;
    Earlier(next, task.starting_at);
    Earlier(next, task.running_at);
    Earlier(next, task.force_at);
    Earlier(next, task.deadline);
    if (task.progress && task.updates.empty()) Earlier(next, task.progress_at);
  }
  Earlier(next, resend_at_);
  Earlier(next, exit_at_);
  return next;
}

Protocol::Subscription Protocol::Subscribe() {
  Subscription subscription;
  for (auto& [id, task] : tasks_) {
    if (!task.known_to_agent) subscription.unacknowledged_tasks.push_back(task.info);
    for (Update& update : task.updates) {
      subscription.unacknowledged_updates.push_back(update.status);
      update.sent = true;
    }
  }
  return subscription;
}

// Events of the agent

void Protocol::Handle(const Subscribed& event) {
  connected_ = true;
  killing_state_ = event.killing_state;
  container_ = event.container;
  FlushAll();
}

void Protocol::Handle(const Disconnected& event) {
  connected_ = false;
  for (auto& [id, task] : tasks_) {
    for (Update& update : task.updates) update.sent = false;
  }
  if (event.final) ShutDown();
}

void Protocol::Handle(const Launch& event) {
  int group = event.group ? ++groups_ : 0;
  for (const TaskInfo& info : event.tasks) {
    const std::string& id = info.task_id().value();
    const bool repeated = tasks_.contains(id) || (!IsDefault() && past_.contains(id));
    if (!repeated) LaunchOne(info, group);
  }
}

void Protocol::LaunchOne(const TaskInfo& info, int group) {
  Task& task = tasks_[info.task_id().value()];
  task.info = info;
  task.group = group;
  if (IsDefault()) task.container = UuidText(UuidBytes(random_));
  if (info.has_check()) task.check_status = NotChecked(info.check().type());
  // A bare command has an executor of its own, as under Mesos's command executor.
  const bool leaves = info.has_command() || IsDefault();
  if (leaves) leaving_ = true;
  if (shutting_down_) {
    task.done = true;
    return Queue(task, StatusOf(task, TaskState::TASK_KILLED));
  }
  if (leaves) {
    Queue(task, StatusOf(task, TaskState::TASK_STARTING));
  } else {
    task.starting_at = now_ + kQuickStart;
  }
  effects_.push_back(StartWork{info, task.container});
}

void Protocol::Handle(const Kill& event) {
  Task* task = Alive(event.task);
  if (task == nullptr) return;
  Duration grace = GraceOf(task->info);
  // Mesos's command executor looks at the policy of the task alone.
  if (event.grace && (IsDefault() || !task->info.has_command())) grace = *event.grace;
  Stop(*task, Cause::kKill, grace);
}

void Protocol::Handle(const Acknowledged& event) {
  auto found = tasks_.find(event.task);
  if (found == tasks_.end()) return;
  Task& task = found->second;
  auto before = task.updates.size();
  std::erase_if(task.updates,
                [&](const Update& update) { return update.status.uuid() == event.uuid; });
  if (task.updates.size() == before) return;
  task.known_to_agent = true;
  if (task.done && task.updates.empty()) {
    past_.insert(event.task);
    tasks_.erase(found);
    return;
  }
  SendProgress(task);
}

void Protocol::Handle(const Shutdown&) { ShutDown(); }

void Protocol::Handle(const UpdateRefused& event) {
  auto found = tasks_.find(event.task);
  if (found == tasks_.end()) return;
  for (Update& update : found->second.updates) update.sent = false;
  resend_at_ = now_ + kResendPause;
}

// Events of the work

void Protocol::Handle(const WorkStarted& event) {
  Task* task = Alive(event.task);
  if (task == nullptr || task->started) return;
  task->started = true;
  task->pid = event.pid;
  task->starting_at.reset();
  if (task->cause != Cause::kNone) return;  // it ends already
  // None is no limit, and so is 0.
  if (const auto limit = task->info.max_completion_time().nanoseconds(); limit > 0) {
    task->deadline = now_ + Duration(limit);
  }
  task->progress_at = now_ + kProgressPause;
  if (tasks_.size() > kCrowd && event.data.empty() && !task->info.has_command()) {
    task->running_at = now_ + kQuickWork;
    return;
  }
  TaskStatus status = StatusOf(*task, TaskState::TASK_RUNNING);
  if (!event.data.empty()) status.set_data(event.data);
  Queue(*task, std::move(status));
}

void Protocol::Handle(const WorkProgress& event) {
  Task* task = Alive(event.task);
  if (task == nullptr) return;
  task->progress = event.data;
  if (event.healthy != task->healthy) {
    task->healthy = event.healthy;
    task->progress_at = now_;
    if (task->started && task->cause == Cause::kNone) return QueueProgress(*task);
  }
  SendProgress(*task);
}

void Protocol::Handle(const WorkHealth& event) {
  Task* task = Alive(event.task);
  if (task == nullptr || task->cause != Cause::kNone) return;
  task->probed = event.healthy;
  TaskStatus status = StatusOf(*task, TaskState::TASK_RUNNING);
  status.set_reason(TaskStatus::REASON_TASK_HEALTH_CHECK_STATUS_UPDATED);
  status.set_healthy(event.healthy);
  Queue(*task, std::move(status));
  if (event.kill) Stop(*task, Cause::kHealth, GraceOf(task->info));
}

void Protocol::Handle(const WorkChecked& event) {
  Task* task = Alive(event.task);
  if (task == nullptr || task->cause != Cause::kNone) return;
  task->check_status = event.status;
  TaskStatus status = StatusOf(*task, TaskState::TASK_RUNNING);
  status.set_reason(TaskStatus::REASON_TASK_CHECK_STATUS_UPDATED);
  // The master keeps the last update alone.
  if (task->probed) status.set_healthy(*task->probed);
  Queue(*task, std::move(status));
}

void Protocol::Handle(const WorkEnded& event) {
  Task* task = Alive(event.task);
  if (task == nullptr) return;
  task->pid = 0;
  TaskStatus status;
  switch (task->cause) {
    case Cause::kNone:
      status = StatusOf(*task, event.ok        ? TaskState::TASK_FINISHED
                               : event.invalid ? TaskState::TASK_ERROR
                                               : TaskState::TASK_FAILED);
      if (event.reason) status.set_reason(*event.reason);
      break;
    case Cause::kDeadline:
      status = StatusOf(*task, TaskState::TASK_FAILED);
      status.set_reason(TaskStatus::REASON_MAX_COMPLETION_TIME_REACHED);
      break;
    case Cause::kHealth:
      status = StatusOf(*task, TaskState::TASK_KILLED);
      status.set_healthy(false);
      break;
    case Cause::kKill:
    case Cause::kShutdown:
    case Cause::kGroup:
      status = StatusOf(*task, TaskState::TASK_KILLED);
      break;
  }
  if (!event.message.empty()) status.set_message(ToUtf8(event.message));
  if (!event.data.empty()) status.set_data(event.data);
  bool whole = status.state() == TaskState::TASK_FINISHED;
  task->done = true;
  task->progress.reset();
  Queue(*task, std::move(status));
  if (task->group != 0 && !whole) StopGroup(task->group);
}

void Protocol::Handle(const TimePassed&) {
  for (auto& [id, task] : tasks_) {
    if (task.done) continue;
    if (task.starting_at && *task.starting_at <= now_) {
      task.starting_at.reset();
      if (task.cause == Cause::kNone) Queue(task, StatusOf(task, TaskState::TASK_STARTING));
    }
    if (task.running_at && *task.running_at <= now_) {
      task.running_at.reset();
      Queue(task, StatusOf(task, TaskState::TASK_RUNNING));
    }
    if (task.deadline && *task.deadline <= now_) {
      task.deadline.reset();
      Stop(task, Cause::kDeadline, GraceOfDeadline(task));
    }
    if (task.force_at && *task.force_at <= now_) {
      task.force_at.reset();
      effects_.push_back(StopWork{id, true});
    }
    SendProgress(task);
  }
  if (resend_at_ && *resend_at_ <= now_) {
    resend_at_.reset();
    FlushAll();
  }
}

// Mesos's executors leave none, whatever the kill policy says; its command executor asks first.
Duration Protocol::GraceOfDeadline(const Task& task) const {
  if (IsDefault()) return Duration::zero();
  return task.info.has_command() ? kDeadlineGrace : GraceOf(task.info);
}

// What they share

Protocol::Task* Protocol::Alive(const std::string& id) {
  auto found = tasks_.find(id);
  return found == tasks_.end() || found->second.done ? nullptr : &found->second;
}

// The first reason stays; a later one may only bring the end nearer.
void Protocol::Stop(Task& task, Cause cause, Duration grace) {
  bool first = task.cause == Cause::kNone;
  bool forced = !first && !task.force_at;
  if (forced) return;
  if (first) {
    task.cause = cause;
    task.deadline.reset();  // the grace goes on behind it
    bool told = cause == Cause::kKill || cause == Cause::kHealth || cause == Cause::kGroup ||
                (cause == Cause::kShutdown && IsDefault());
    if (told && killing_state_) Queue(task, StatusOf(task, TaskState::TASK_KILLING));
  }
  if (grace <= Duration::zero()) {
    task.force_at.reset();
    effects_.push_back(StopWork{task.info.task_id().value(), true});
    return;
  }
  Earlier(task.force_at, now_ + grace);
  if (first) effects_.push_back(StopWork{task.info.task_id().value(), false});
}

// Who is told to end already keeps the time for it.
void Protocol::StopGroup(int group) {
  for (auto& [id, task] : tasks_) {
    if (task.group != group || task.done || task.cause != Cause::kNone) continue;
    Stop(task, Cause::kGroup, GraceOf(task.info));
  }
}

void Protocol::ShutDown() {
  if (shutting_down_) return;
  shutting_down_ = leaving_ = true;
  exit_at_ = now_ + options_.shutdown_grace;
  // Time is left for the last updates before the agent destroys the container.
  for (auto& [id, task] : tasks_) {
    if (!task.done) Stop(task, Cause::kShutdown, options_.shutdown_grace / 2);
  }
}

TaskStatus Protocol::StatusOf(const Task& task, TaskState state) const {
  TaskStatus status;
  *status.mutable_task_id() = task.info.task_id();
  status.set_state(state);
  status.set_source(TaskStatus::SOURCE_EXECUTOR);
  status.mutable_executor_id()->set_value(options_.executor_id);
  if (task.check_status) *status.mutable_check_status() = *task.check_status;
  if (!IsDefault()) return status;
  auto& container = *status.mutable_container_status();
  container.mutable_container_id()->set_value(task.container);
  container.mutable_container_id()->mutable_parent()->set_value(container_);
  if (task.pid != 0) container.set_executor_pid(task.pid);
  return status;
}

void Protocol::Queue(Task& task, TaskStatus status) {
  const bool untold = std::exchange(task.running_at, std::nullopt).has_value();
  if (untold && status.state() != TaskState::TASK_FINISHED) {
    Queue(task, StatusOf(task, TaskState::TASK_RUNNING));
  }
  auto uuid = UuidBytes(random_);
  status.set_uuid(uuid.data(), uuid.size());
  status.set_timestamp(now_.Seconds());
  task.updates.push_back({std::move(status)});
  Flush(task);
}

void Protocol::SendProgress(Task& task) {
  if (!task.progress || !task.started || task.done || task.cause != Cause::kNone) return;
  if (!task.updates.empty() || now_ < task.progress_at) return;
  QueueProgress(task);
}

void Protocol::QueueProgress(Task& task) {
  TaskStatus status = StatusOf(task, TaskState::TASK_RUNNING);
  status.set_data(*std::exchange(task.progress, std::nullopt));
  if (const auto healthy = task.healthy ? task.healthy : task.probed) status.set_healthy(*healthy);
  task.progress_at = now_ + kProgressPause;
  Queue(task, std::move(status));
}

void Protocol::Flush(Task& task) {
  if (!connected_ || resend_at_) return;
  for (Update& update : task.updates) {
    if (update.sent) continue;
    update.sent = true;
    effects_.push_back(SendUpdate{update.status});
  }
}

void Protocol::FlushAll() {
  for (auto& [id, task] : tasks_) Flush(task);
}

void Protocol::CheckExit() {
  bool used = !tasks_.empty() || !past_.empty();
  if (!leaving_ || (!used && !shutting_down_)) return;
  bool done = std::ranges::all_of(tasks_, [](const auto& entry) { return entry.second.done; });
  // While the agent is away nobody can acknowledge; one that stays away shuts the executor down.
  const bool waits = done && connected_;
  if (waits && !exit_at_) {
    exit_at_ = now_ + kAcknowledgeTime;
  } else if (!waits && !shutting_down_) {
    exit_at_.reset();
  }
  bool acknowledged = tasks_.empty();
  // Over a stream that is lost for good nobody will ever acknowledge.
  bool hopeless = done && !connected_ && shutting_down_;
  if (!acknowledged && !hopeless && !(exit_at_ && *exit_at_ <= now_)) return;
  exited_ = true;
  effects_.push_back(Exit{0});
}

}  // namespace kiln::executor
