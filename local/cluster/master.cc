#include "local/cluster/master.h"

#include <algorithm>

#include "local/cluster/agent_updates.h"
#include "local/cluster/validation.h"

namespace kiln::local {

namespace scheduler = mesos::v1::scheduler;
namespace operators = mesos::v1::master;

namespace {

constexpr Duration kHeartbeatInterval = std::chrono::seconds(15);

// "127.0.0.1" as an integer in network byte order.
uint32_t PackIp(const std::string& ip) {
  uint32_t packed = 0;
  uint32_t part = 0;
  int shift = 0;
  for (char c : ip + ".") {
    if (c == '.') {
      packed |= (part & 0xff) << shift;
      shift += 8;
      part = 0;
      if (shift > 24) break;
    } else {
      part = part * 10 + static_cast<uint32_t>(c - '0');
    }
  }
  return packed;
}

mesos::v1::MasterInfo MakeInfo(const MasterOptions& options, const std::string& id) {
  mesos::v1::MasterInfo info;
  info.set_id(id);
  info.set_ip(PackIp(options.ip));
  info.set_port(static_cast<uint32_t>(options.port));
  info.set_pid("master@" + options.ip + ":" + std::to_string(options.port));
  info.set_hostname(options.hostname);
  info.set_version(options.version);
  info.mutable_address()->set_hostname(options.hostname);
  info.mutable_address()->set_ip(options.ip);
  info.mutable_address()->set_port(options.port);
  using Capability = mesos::v1::MasterInfo::Capability;
  for (auto type : {Capability::AGENT_UPDATE, Capability::AGENT_DRAINING, Capability::QUOTA_V2}) {
    info.add_capabilities()->set_type(type);
  }
  return info;
}

void Earliest(std::optional<Instant>& earliest, const std::optional<Instant>& other) {
  if (other && (!earliest || *other < *earliest)) earliest = other;
}

}  // namespace

bool MasterFramework::PartitionAware() const {
  return HasCapability(info, mesos::v1::FrameworkInfo::Capability::PARTITION_AWARE);
}

Master::Master(MasterOptions options, Random random, Registry registry, Instant now)
    : options_(std::move(options)),
      random_(random),
      allocator_(options_.allocator),
      registry_(std::move(registry)),
      info_(MakeInfo(options_, NewUuid())),
      started_(now),
      now_(now),
      next_allocation_(now + options_.allocator.allocation_interval) {
  for (const auto& agent : registry_.agents) recovered_[agent.id().value()] = agent;
  if (!recovered_.empty()) recovered_end_ = now + options_.agent_reregister_timeout;
}

MasterActions Master::Handle(const MasterInput& input, Instant now) {
  now_ = now;
  std::visit([&](const auto& value) { On(value); }, input);
  return std::exchange(actions_, {});
}

std::optional<Instant> Master::NextTimer() const {
  std::optional<Instant> earliest = next_allocation_;
  Earliest(earliest, recovered_end_);
  for (const auto& [id, framework] : frameworks_) {
    Earliest(earliest, framework.removal);
    Earliest(earliest, framework.heartbeat);
  }
  for (const auto& [id, agent] : agents_) Earliest(earliest, agent.next_ping);
  for (const auto& [id, offer] : offers_) Earliest(earliest, offer.end);
  for (const auto& [id, offer] : inverse_offers_) Earliest(earliest, offer.end);
  for (const OperatorSubscriber& subscriber : operators_) Earliest(earliest, subscriber.heartbeat);
  return earliest;
}

void Master::On(const MasterTick&) {
  PingAgents();
  ExpireRecovered();
  std::vector<std::string> removals;
  for (auto& [id, framework] : frameworks_) {
    if (framework.removal && *framework.removal <= now_) removals.push_back(id);
    if (framework.heartbeat && *framework.heartbeat <= now_) {
      scheduler::Event event;
      event.set_type(scheduler::Event::HEARTBEAT);
      Send(framework, event);
      framework.heartbeat = now_ + kHeartbeatInterval;
    }
  }
  for (const std::string& id : removals) Remove(id);
  std::set<std::string> expired;
  for (const auto& [id, offer] : offers_) {
    if (offer.end && *offer.end <= now_) expired.insert(id);
  }
  RemoveOffers(expired, true);
  RemoveInverseOffers([&](const auto& offer) { return offer.end && *offer.end <= now_; }, true);
  for (OperatorSubscriber& subscriber : operators_) {
    if (subscriber.heartbeat > now_) continue;
    operators::Event event;
    event.set_type(operators::Event::HEARTBEAT);
    actions_.emplace_back(SendToOperator{subscriber.stream, event});
    subscriber.heartbeat = now_ + kHeartbeatInterval;
  }
  if (next_allocation_ <= now_) {
    next_allocation_ = now_ + options_.allocator.allocation_interval;
    Allocate();
  }
}

void Master::On(const SchedulerStreamClosed& input) {
  for (auto& [id, framework] : frameworks_) {
    if (framework.connected && framework.stream == input.stream) {
      Disconnect(framework);
      return;
    }
  }
}

void Master::On(const FromAgent& input) {
  std::visit([&](const auto& message) { On(input.pid, message); }, input.message);
}

void Master::On(const RescindOffer& input) {
  if (offers_.count(input.offer_id)) RemoveOffer(input.offer_id, true);
}

void Master::Answer(uint64_t request, int status, std::string text) {
  actions_.emplace_back(AnswerRequest{request, status, std::move(text)});
}

void Master::Send(const MasterFramework& framework, scheduler::Event event) {
  if (framework.connected) {
    actions_.emplace_back(SendToScheduler{framework.stream, std::move(event)});
  }
}

void Master::Tell(const MasterAgent& agent, MasterToAgent message) {
  if (agent.connected) actions_.emplace_back(SendToAgent{agent.pid, std::move(message)});
}

void Master::Publish(operators::Event event) {
  for (const OperatorSubscriber& subscriber : operators_) {
    actions_.emplace_back(SendToOperator{subscriber.stream, event});
  }
}

void Master::Save() { actions_.emplace_back(SaveRegistry{registry_}); }

std::string Master::NewUuid() { return UuidText(UuidBytes(random_)); }

Resources Master::UsedBy(const MasterFramework& framework) const {
  Resources used;
  for (const auto& [id, task] : framework.tasks) {
    if (!IsTerminal(task.state())) used += Resources(task.resources());
  }
  for (const auto& [agent_id, agent] : agents_) {
    for (const auto& [key, executor] : agent.executors) {
      if (key.first == framework.id()) used += Resources(executor.resources());
    }
  }
  return used;
}

Resources Master::UsedAt(const MasterAgent& agent) const {
  Resources used;
  for (const auto& [framework_id, task_id] : agent.tasks) {
    const mesos::v1::Task& task = frameworks_.at(framework_id).tasks.at(task_id);
    if (!IsTerminal(task.state())) used += Resources(task.resources());
  }
  for (const auto& [key, executor] : agent.executors) used += Resources(executor.resources());
  return used;
}

Resources Master::OfferedTo(const MasterFramework& framework) const {
  Resources offered;
  for (const std::string& id : framework.offers) {
    offered += Resources(offers_.at(id).wire.resources());
  }
  return offered;
}

Resources Master::OfferedAt(const MasterAgent& agent) const {
  Resources offered;
  for (const std::string& id : agent.offers) {
    offered += Resources(offers_.at(id).wire.resources());
  }
  return offered;
}

}  // namespace kiln::local
