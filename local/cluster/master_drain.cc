// Agents that operators take out of service: deactivated ones get no offers, draining ones lose
// their tasks too.
#include <fmt/format.h>

#include <algorithm>

#include "local/cluster/master.h"

namespace kiln::local {

using mesos::v1::DrainConfig;
using mesos::v1::DrainInfo;

namespace {

// Cut to what nanoseconds can tell: 285 years.
int64_t Nanoseconds(const google::protobuf::Duration& duration) {
  constexpr int64_t kMost = 9'000'000'000;
  return std::clamp(duration.seconds(), -kMost, kMost) * 1'000'000'000 + duration.nanos();
}

DrainAgent OrderOf(const DrainConfig& config) {
  DrainAgent order;
  if (config.has_max_grace_period()) {
    order.max_grace_period = Duration(config.max_grace_period().nanoseconds());
  }
  order.mark_gone = config.mark_gone();
  return order;
}

}  // namespace

bool Master::IsKnownAgent(const std::string& id) const {
  return agents_.count(id) || recovered_.count(id) || registry_.unreachable.count(id);
}

void Master::Drain(const OperatorCall& input) {
  const auto& drain = input.call.drain_agent();
  const std::string& id = drain.agent_id().value();
  if (!IsKnownAgent(id)) return Answer(input.request, 400, "Unknown agent");
  MasterAgent* agent = FindAgent(id);
  if (agent && UnavailabilityOf(*agent)) {
    return Answer(input.request, 400,
                  fmt::format("Agent {} is part of a maintenance schedule under Machine {}", id,
                              MachineText(MachineOf(agent->info, agent->pid))));
  }
  DrainInfo info;
  info.set_state(mesos::v1::DRAINING);
  info.mutable_config()->set_mark_gone(drain.mark_gone());
  if (drain.has_max_grace_period()) {
    info.mutable_config()->mutable_max_grace_period()->set_nanoseconds(
        Nanoseconds(drain.max_grace_period()));
  }
  registry_.draining[id] = info;
  Deactivate(id);
  Answer(input.request, 200);
  if (!agent) return;
  agent->drain_start = now_;
  RemoveOffersAt(*agent);
  GoOnDraining(*agent);
}

void Master::Deactivate(const OperatorCall& input) {
  const std::string& id = input.call.deactivate_agent().agent_id().value();
  if (!IsKnownAgent(id)) return Answer(input.request, 400, "Unknown agent");
  Deactivate(id);
  Answer(input.request, 200);
  if (MasterAgent* agent = FindAgent(id)) RemoveOffersAt(*agent);
}

void Master::Deactivate(const std::string& id) {
  std::erase(registry_.deactivated, id);
  registry_.deactivated.push_back(id);
  Save();
  if (MasterAgent* agent = FindAgent(id)) {
    agent->deactivated = true;
    allocator_.SetAgentActive(id, false);
  }
}

void Master::Reactivate(const OperatorCall& input) {
  const std::string& id = input.call.reactivate_agent().agent_id().value();
  const auto& list = registry_.deactivated;
  if (std::find(list.begin(), list.end(), id) == list.end()) {
    return Answer(input.request, 400, "Agent is not deactivated");
  }
  auto drain = registry_.draining.find(id);
  if (drain != registry_.draining.end() && drain->second.state() == mesos::v1::DRAINING) {
    return Answer(input.request, 400, "Agent is still in the DRAINING state");
  }
  ForgetService(id);
  Save();
  MasterAgent* agent = FindAgent(id);
  if (!agent) return Answer(input.request, 409, "Agent removed while processing the call");
  Answer(input.request, 200);
  agent->deactivated = false;
  agent->drain_start.reset();
  allocator_.SetAgentActive(id, agent->active());
}

void Master::ForgetService(const std::string& id) {
  registry_.draining.erase(id);
  std::erase(registry_.deactivated, id);
}

void Master::GoOnDraining(MasterAgent& agent) {
  auto drain = registry_.draining.find(agent.id());
  if (drain == registry_.draining.end()) return;
  Tell(agent, OrderOf(drain->second.config()));
  EndDrain(agent.id());
}

void Master::EndDrain(const std::string& id) {
  const MasterAgent* agent = FindAgent(id);
  auto drain = registry_.draining.find(id);
  if (!agent || !agent->tasks.empty() || !agent->operations.empty()) return;
  if (drain == registry_.draining.end() || drain->second.state() != mesos::v1::DRAINING) return;
  if (drain->second.config().mark_gone()) return MarkGone(id);
  drain->second.set_state(mesos::v1::DRAINED);
  Save();
}

}  // namespace kiln::local
