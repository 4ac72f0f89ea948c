#include "local/cluster/agent_updates.h"

#include <algorithm>

namespace kiln::local {

using mesos::v1::TaskStatus;

bool IsTerminal(mesos::v1::TaskState state) {
  switch (state) {
    case mesos::v1::TASK_FINISHED:
    case mesos::v1::TASK_FAILED:
    case mesos::v1::TASK_KILLED:
    case mesos::v1::TASK_LOST:
    case mesos::v1::TASK_ERROR:
    case mesos::v1::TASK_DROPPED:
    case mesos::v1::TASK_GONE:
    case mesos::v1::TASK_GONE_BY_OPERATOR:
      return true;
    case mesos::v1::TASK_STAGING:
    case mesos::v1::TASK_STARTING:
    case mesos::v1::TASK_RUNNING:
    case mesos::v1::TASK_KILLING:
    case mesos::v1::TASK_UNREACHABLE:
    case mesos::v1::TASK_UNKNOWN:
      return false;
  }
  return false;
}

TaskUpdates::Added TaskUpdates::Add(const TaskKey& key, TaskStatus status) {
  Queue& queue = queues_[key];
  if (!queue.uuids.insert(status.uuid()).second) return Added::kKnown;
  queue.waiting.push_back(std::move(status));
  return queue.waiting.size() == 1 ? Added::kHead : Added::kQueued;
}

TaskUpdates::Acknowledged TaskUpdates::Acknowledge(const TaskKey& key, std::string_view uuid) {
  auto found = queues_.find(key);
  if (found == queues_.end()) return {};
  Queue& queue = found->second;
  if (queue.waiting.empty() || queue.waiting.front().uuid() != uuid) return {};
  Unschedule(key, queue);
  queue.wait = Duration::zero();
  const bool terminal = IsTerminal(queue.waiting.front().state());
  queue.waiting.pop_front();
  Acknowledged result{.taken = true};
  if (!queue.waiting.empty()) {
    result.next = queue.waiting.front();
  } else if (terminal) {
    result.last = true;
    queues_.erase(found);
  }
  return result;
}

void TaskUpdates::Sent(const TaskKey& key, Instant now) {
  auto found = queues_.find(key);
  if (found == queues_.end() || found->second.waiting.empty()) return;
  Queue& queue = found->second;
  Unschedule(key, queue);
  queue.wait =
      queue.wait == Duration::zero() ? kFirstResend : std::min(queue.wait * 2, kLastResend);
  queue.due = now + queue.wait;
  schedule_.emplace(*queue.due, key);
}

std::vector<std::pair<TaskKey, TaskStatus>> TaskUpdates::Due(Instant now) {
  std::vector<std::pair<TaskKey, TaskStatus>> due;
  while (!schedule_.empty() && schedule_.begin()->first <= now) {
    const TaskKey key = schedule_.begin()->second;
    Queue& queue = queues_.at(key);
    Unschedule(key, queue);
    due.emplace_back(key, queue.waiting.front());
  }
  return due;
}

std::vector<std::pair<TaskKey, TaskStatus>> TaskUpdates::Heads() {
  std::vector<std::pair<TaskKey, TaskStatus>> heads;
  for (auto& [key, queue] : queues_) {
    if (queue.waiting.empty()) continue;
    Unschedule(key, queue);
    queue.wait = Duration::zero();
    heads.emplace_back(key, queue.waiting.front());
  }
  return heads;
}

std::optional<Instant> TaskUpdates::NextDue() const {
  if (schedule_.empty()) return std::nullopt;
  return schedule_.begin()->first;
}

void TaskUpdates::Forget(const std::string& framework_id) {
  auto it = queues_.lower_bound(TaskKey{framework_id, ""});
  while (it != queues_.end() && it->first.framework_id == framework_id) {
    Unschedule(it->first, it->second);
    it = queues_.erase(it);
  }
}

void TaskUpdates::Recover(const TaskKey& key, const std::vector<TaskStatus>& updates,
                          const std::set<std::string>& acknowledged) {
  Queue queue;
  bool ended = false;
  for (const TaskStatus& status : updates) {
    if (!queue.uuids.insert(status.uuid()).second) continue;
    if (!acknowledged.contains(status.uuid())) {
      queue.waiting.push_back(status);
    } else {
      ended = IsTerminal(status.state());
    }
  }
  if (!ended || !queue.waiting.empty()) queues_.emplace(key, std::move(queue));
}

void TaskUpdates::Unschedule(const TaskKey& key, Queue& queue) {
  if (queue.due) schedule_.erase({*queue.due, key});
  queue.due.reset();
}

}  // namespace kiln::local
