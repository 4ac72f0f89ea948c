#include "scheduler/lifecycle/shared_executors.h"

#include <algorithm>

#include "scheduler/placement/needs.h"

namespace kiln::scheduler {

SharedExecutors::Use SharedExecutors::Add(const std::string& pool, const AgentId& agent,
                                          const ExecutorId& fresh) {
  const auto [open, is_new] = open_.try_emplace({pool, agent}, fresh);
  if (is_new) {
    warm_.insert(open->first);
    entries_[fresh] = {.pool = pool, .agent = agent};
  }
  ++entries_.at(open->second).tasks;
  return {open->second, is_new};
}

SharedExecutors::Use SharedExecutors::AddShare(const std::string& role, const GpuShare& share,
                                               const AgentId& agent, const ExecutorId& fresh) {
  const Use use = Add(DevicePool(share.id, role), agent, fresh);
  Entry& entry = entries_.at(use.executor);
  if (use.is_new) {
    entry.role = role;
    entry.free = {share.id, 1000};
  }
  entry.free.milli -= share.milli;
  return use;
}

SharedExecutors::Shared SharedExecutors::FreeShares() const {
  Shared shared;
  for (const auto& [key, executor] : open_) {
    const Entry& entry = entries_.at(executor);
    if (entry.free.milli > 0) shared[{entry.agent, entry.role}].push_back(entry.free);
  }
  for (auto& [key, shares] : shared) std::sort(shares.begin(), shares.end());
  return shared;
}

void SharedExecutors::Adopt(const ExecutorId& executor, const AgentId& agent) {
  Entry& entry = entries_[executor];
  entry.agent = agent;
  ++entry.tasks;
}

void SharedExecutors::Ended(const ExecutorId& executor, const Resources& had, Instant now) {
  const auto found = entries_.find(executor);
  if (found == entries_.end()) return;
  Entry& entry = found->second;
  for (const GpuShare& share : had.gpu_shares) entry.free.milli += share.milli;
  if (--entry.tasks > 0) return;
  entry.idle_since = now;
  // Nobody waits for a device that lies idle: its executor goes at once.
  if (!had.gpu_shares.empty()) Close(entry);
}

void SharedExecutors::Confirm(const ExecutorId& executor) {
  const auto found = entries_.find(executor);
  if (found != entries_.end()) found->second.confirmed = true;
}

bool SharedExecutors::Confirmed(const ExecutorId& executor) const {
  const auto found = entries_.find(executor);
  return found != entries_.end() && found->second.confirmed;
}

void SharedExecutors::Close(Entry& entry) {
  if (entry.pool.empty()) return;
  open_.erase({entry.pool, entry.agent});
  warm_.erase({entry.pool, entry.agent});
  entry.pool.clear();
}

void SharedExecutors::Retire(const ExecutorId& executor) {
  const auto found = entries_.find(executor);
  if (found != entries_.end()) Close(found->second);
}

void SharedExecutors::Drop(const ExecutorId& executor) {
  Retire(executor);
  entries_.erase(executor);
}

void SharedExecutors::DropAgent(const AgentId& agent) {
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    if (entry->second.agent == agent) {
      Close(entry->second);
      entry = entries_.erase(entry);
    } else {
      ++entry;
    }
  }
}

std::vector<ShutdownCall> SharedExecutors::TakeIdle(Instant now, Duration idle) {
  std::vector<ShutdownCall> calls;
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    const bool open = !entry->second.pool.empty();
    if (entry->second.tasks == 0 && (!open || now - entry->second.idle_since >= idle)) {
      calls.push_back({entry->first, entry->second.agent});
      Close(entry->second);
      entry = entries_.erase(entry);
    } else {
      ++entry;
    }
  }
  return calls;
}

std::optional<Instant> SharedExecutors::NextIdle(Duration idle) const {
  std::optional<Instant> next;
  for (const auto& [id, entry] : entries_) {
    if (entry.tasks > 0) continue;
    const Instant due = entry.pool.empty() ? entry.idle_since : entry.idle_since + idle;
    if (!next || due < *next) next = due;
  }
  return next;
}

}  // namespace kiln::scheduler
