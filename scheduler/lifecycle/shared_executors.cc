#include "scheduler/lifecycle/shared_executors.h"

#include <algorithm>

#include "scheduler/placement/needs.h"

namespace kiln::scheduler {

SharedExecutors::Use SharedExecutors::Add(const std::string& pool, const AgentId& agent,
                                          const ExecutorId& fresh) {
  const auto [open, is_new] = open_[agent].try_emplace(pool, fresh);
  if (is_new) {
    warm_.Insert(agent, pool);
    entries_[fresh] = {.pool = pool, .agent = agent};
  }
  Entry& entry = entries_.at(open->second);
  Leave(open->second, entry);
  ++entry.tasks;
  Enter(open->second, entry);
  return {open->second, is_new};
}

SharedExecutors::Use SharedExecutors::AddShare(const std::string& role, const GpuShare& share,
                                               const AgentId& agent, const ExecutorId& fresh) {
  const Use use = Add(DevicePool(share.id, role), agent, fresh);
  Entry& entry = entries_.at(use.executor);
  Leave(use.executor, entry);
  if (use.is_new) {
    entry.role = role;
    entry.free = {share.id, 1000};
  }
  entry.free.milli -= share.milli;
  Enter(use.executor, entry);
  return use;
}

void SharedExecutors::Leave(const ExecutorId& executor, const Entry& entry) {
  if (entry.tasks == 0) {
    idle_.erase({entry.idle_since, executor});
    done_.erase(executor);
  }
  if (entry.free.id.empty()) return;
  if (const auto held = held_.find(entry.agent); held != held_.end()) {
    const auto device = held->second.find(entry.free.id);
    if (device != held->second.end() && device->second == executor) held->second.erase(device);
    if (held->second.empty()) held_.erase(held);
  }
  const auto shared = shared_.find({entry.agent, entry.role});
  if (shared == shared_.end()) return;
  std::erase_if(shared->second, [&](const GpuShare& one) { return one.id == entry.free.id; });
  if (shared->second.empty()) shared_.erase(shared);
}

void SharedExecutors::Enter(const ExecutorId& executor, const Entry& entry) {
  const bool open = !entry.pool.empty();
  if (entry.tasks == 0 && open) idle_.emplace(entry.idle_since, executor);
  if (entry.tasks == 0 && !open) done_.insert(executor);
  if (entry.tasks > 0 && !entry.free.id.empty()) held_[entry.agent][entry.free.id] = executor;
  if (!open || entry.free.milli <= 0) return;
  std::vector<GpuShare>& shares = shared_[{entry.agent, entry.role}];
  shares.insert(std::upper_bound(shares.begin(), shares.end(), entry.free), entry.free);
}

void SharedExecutors::AddHeld(const std::vector<Offer>& offers, Bars& bars) const {
  if (held_.empty()) return;
  for (const Offer& offer : offers) {
    const auto held = held_.find(offer.agent.id);
    if (held == held_.end()) continue;
    for (const GpuId& id : offer.resources.gpu_ids) {
      const auto device = held->second.find(id);
      if (device == held->second.end()) continue;
      bars[offer.agent.id].gpus.emplace(
          id, fmt::format("gpu {} of agent {} is held by executor {}", id.text,
                          offer.agent.hostname, device->second.text));
    }
  }
}

void SharedExecutors::Adopt(const ExecutorId& executor, const AgentId& agent,
                            const Resources& has) {
  Entry& entry = entries_[executor];
  Leave(executor, entry);
  entry.agent = agent;
  if (!has.gpu_shares.empty()) entry.free.id = has.gpu_shares[0].id;
  ++entry.tasks;
  Enter(executor, entry);
}

void SharedExecutors::Ended(const ExecutorId& executor, const Resources& had, Instant now) {
  const auto found = entries_.find(executor);
  if (found == entries_.end()) return;
  Entry& entry = found->second;
  Leave(executor, entry);
  for (const GpuShare& share : had.gpu_shares) entry.free.milli += share.milli;
  if (--entry.tasks == 0) {
    entry.idle_since = now;
    // Nobody waits for a device that lies idle: its executor goes at once.
    if (!had.gpu_shares.empty()) Close(entry);
  }
  Enter(executor, entry);
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
  if (const auto open = open_.find(entry.agent); open != open_.end()) {
    open->second.erase(entry.pool);
    if (open->second.empty()) open_.erase(open);
  }
  warm_.Erase(entry.agent, entry.pool);
  entry.pool.clear();
}

void SharedExecutors::Retire(const ExecutorId& executor) {
  const auto found = entries_.find(executor);
  if (found == entries_.end()) return;
  Leave(executor, found->second);
  Close(found->second);
  Enter(executor, found->second);
}

void SharedExecutors::RetireAgent(const AgentId& agent) {
  for (const auto& [id, entry] : entries_) {
    if (entry.agent == agent) Retire(id);
  }
}

void SharedExecutors::Seen(const AgentId& agent, const std::vector<ExecutorId>& there) {
  const auto open = open_.find(agent);
  if (open == open_.end()) return;
  std::vector<ExecutorId> missing;
  for (const auto& [pool, executor] : open->second) {
    const bool seen = std::find(there.begin(), there.end(), executor) != there.end();
    if (!seen && Confirmed(executor)) missing.push_back(executor);
  }
  for (const ExecutorId& executor : missing) Retire(executor);
}

void SharedExecutors::Drop(const ExecutorId& executor) {
  const auto found = entries_.find(executor);
  Leave(executor, found->second);
  Close(found->second);
  entries_.erase(found);
}

std::vector<ShutdownCall> SharedExecutors::TakeIdle(Instant now, Duration idle) {
  std::set<ExecutorId> due = done_;
  for (auto next = idle_.begin(); next != idle_.end() && now - next->first >= idle; ++next) {
    due.insert(next->second);
  }
  std::vector<ShutdownCall> calls;
  for (const ExecutorId& executor : due) {
    calls.push_back({executor, entries_.at(executor).agent});
    Drop(executor);
  }
  return calls;
}

std::optional<Instant> SharedExecutors::NextIdle(Duration idle) const {
  std::optional<Instant> next;
  if (!idle_.empty()) next = idle_.begin()->first + idle;
  for (const ExecutorId& executor : done_) {
    const Instant since = entries_.at(executor).idle_since;
    if (!next || since < *next) next = since;
  }
  return next;
}

}  // namespace kiln::scheduler
