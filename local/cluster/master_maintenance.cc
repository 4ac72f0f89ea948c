// Maintenance in the master: the schedule, machines that go down, and inverse offers, which ask
// frameworks what they think of it.
#include <fmt/format.h>

#include "local/cluster/agent_updates.h"
#include "local/cluster/master.h"
#include "local/cluster/master_views.h"

namespace kiln::local {

namespace scheduler = mesos::v1::scheduler;
using mesos::v1::InverseOffer;
using mesos::v1::MachineID;
using mesos::v1::master::InverseOfferStatus;

const mesos::v1::Unavailability* Master::UnavailabilityOf(const MasterAgent& agent) const {
  // Asked for every offer.
  if (registry_.maintenance.schedule.windows().empty()) return nullptr;
  return FindUnavailability(registry_.maintenance, MachineOf(agent.info, agent.pid));
}

std::vector<std::string> Master::AgentsOn(const MachineID& machine) const {
  std::vector<std::string> ids;
  for (const auto& [id, agent] : agents_) {
    if (IsSameMachine(MachineOf(agent.info, agent.pid), machine)) ids.push_back(id);
  }
  return ids;
}

void Master::UpdateSchedule(const OperatorCall& input) {
  const auto& schedule = input.call.update_maintenance_schedule().schedule();
  if (Objection objection = ValidateSchedule(schedule, registry_.maintenance)) {
    return Answer(input.request, 400, *objection);
  }
  registry_.maintenance.schedule = schedule;
  Save();
  Answer(input.request, 200);
  // Frameworks hear of it at once; what they said of another schedule does not count.
  for (auto& [id, agent] : agents_) RemoveOffersAt(agent);
  inverse_filters_.clear();
  inverse_answers_.clear();
  Allocate();
}

Objection Master::RefuseMachines(const MachineList& machines, bool down,
                                 const char* objection) const {
  if (Objection invalid = ValidateMachines(machines)) return invalid;
  for (const MachineID& machine : machines) {
    const bool scheduled = FindUnavailability(registry_.maintenance, machine) != nullptr;
    if (!scheduled && AgentsOn(machine).empty()) {
      return fmt::format("Machine '{}' is not part of a maintenance schedule",
                         MachineText(machine));
    }
    if (!scheduled || IsDown(registry_.maintenance, machine) != down) {
      return fmt::format("Machine '{}' {}", MachineText(machine), objection);
    }
  }
  return std::nullopt;
}

void Master::StartMaintenance(const OperatorCall& input) {
  const auto& machines = input.call.start_maintenance().machines();
  if (Objection objection =
          RefuseMachines(machines, false, "is not in DRAINING mode and cannot be brought down")) {
    return Answer(input.request, 400, *objection);
  }
  for (const MachineID& machine : machines) registry_.maintenance.down.push_back(machine);
  Save();
  Answer(input.request, 200);
  constexpr char kWhy[] = "Operator initiated 'Machine DOWN'";
  for (const MachineID& machine : machines) {
    for (const std::string& id : AgentsOn(machine)) {
      Tell(agents_.at(id), ShutdownAgent{kWhy});
      RemoveAgent(id, mesos::v1::TASK_LOST, mesos::v1::TaskStatus::REASON_AGENT_REMOVED,
                  fmt::format("Agent {} removed: {}", agents_.at(id).info.hostname(), kWhy));
    }
  }
}

void Master::StopMaintenance(const OperatorCall& input) {
  const auto& machines = input.call.stop_maintenance().machines();
  if (Objection objection =
          RefuseMachines(machines, true, "is not in DOWN mode and cannot be brought up")) {
    return Answer(input.request, 400, *objection);
  }
  BringUp(registry_.maintenance, machines);
  Save();
  Answer(input.request, 200);
}

bool Master::RefuseMachineDown(const std::string& pid, const mesos::v1::AgentInfo& agent) {
  if (!IsDown(registry_.maintenance, MachineOf(agent, pid))) return false;
  actions_.emplace_back(SendToAgent{pid, ShutdownAgent{"Machine is `DOWN`"}});
  return true;
}

mesos::v1::master::ClusterStatus Master::MaintenanceStatus() const {
  mesos::v1::master::ClusterStatus status;
  for (const auto& window : registry_.maintenance.schedule.windows()) {
    for (const MachineID& machine : window.machine_ids()) {
      if (IsDown(registry_.maintenance, machine)) {
        *status.add_down_machines() = machine;
        continue;
      }
      auto* entry = status.add_draining_machines();
      *entry->mutable_id() = machine;
      for (const std::string& id : AgentsOn(machine)) {
        auto answers = inverse_answers_.find(id);
        if (answers == inverse_answers_.end()) continue;
        for (const auto& [framework, answer] : answers->second) *entry->add_statuses() = answer;
      }
    }
  }
  return status;
}

std::set<std::string> Master::FrameworksAt(const MasterAgent& agent) const {
  std::set<std::string> ids;
  for (const std::string& id : agent.offers) ids.insert(offers_.at(id).wire.framework_id().value());
  for (const auto& [framework_id, task_id] : agent.tasks) {
    if (!IsTerminal(frameworks_.at(framework_id).tasks.at(task_id).state())) {
      ids.insert(framework_id);
    }
  }
  for (const auto& [key, executor] : agent.executors) ids.insert(key.first);
  return ids;
}

bool Master::WantsInverseOffer(const std::string& framework_id, const std::string& agent_id) const {
  auto framework = frameworks_.find(framework_id);
  if (framework == frameworks_.end() || !framework->second.connected) return false;
  auto filter = inverse_filters_.find({framework_id, agent_id});
  if (filter != inverse_filters_.end() && filter->second > now_) return false;
  for (const auto& [id, offer] : inverse_offers_) {
    if (offer.wire.framework_id().value() == framework_id &&
        offer.wire.agent_id().value() == agent_id) {
      return false;
    }
  }
  return true;
}

void Master::SendInverseOffers(const std::set<std::string>* agents) {
  std::map<std::string, scheduler::Event> events;
  for (const auto& [agent_id, agent] : agents_) {
    const mesos::v1::Unavailability* unavailability = UnavailabilityOf(agent);
    if (!unavailability || !agent.active() || (agents && !agents->count(agent_id))) continue;
    for (const std::string& framework_id : FrameworksAt(agent)) {
      if (!WantsInverseOffer(framework_id, agent_id)) continue;
      const std::string id = NewOfferId();
      MasterInverseOffer& offer = inverse_offers_[id];
      offer.wire.mutable_id()->set_value(id);
      *offer.wire.mutable_url() = UrlOf(agent);
      offer.wire.mutable_framework_id()->set_value(framework_id);
      *offer.wire.mutable_agent_id() = agent.info.id();
      *offer.wire.mutable_unavailability() = *unavailability;
      if (options_.offer_timeout) offer.end = now_ + *options_.offer_timeout;
      *events[framework_id].mutable_inverse_offers()->add_inverse_offers() = offer.wire;
    }
  }
  for (auto& [framework_id, event] : events) {
    event.set_type(scheduler::Event::INVERSE_OFFERS);
    Send(frameworks_.at(framework_id), std::move(event));
  }
}

void Master::AnswerInverseOffers(const MasterFramework& framework, const OfferIds& ids,
                                 const mesos::v1::Filters& filters,
                                 InverseOfferStatus::Status answer) {
  for (const auto& id : ids) {
    auto found = inverse_offers_.find(id.value());
    if (found == inverse_offers_.end()) continue;
    const InverseOffer offer = found->second.wire;
    if (offer.framework_id().value() != framework.id()) continue;
    inverse_offers_.erase(found);
    InverseOfferStatus& status = inverse_answers_[offer.agent_id().value()][framework.id()];
    status.set_status(answer);
    *status.mutable_framework_id() = offer.framework_id();
    *status.mutable_timestamp() = TimeOf(now_);
    if (const auto refused = RefusedFor(filters)) {
      inverse_filters_[{framework.id(), offer.agent_id().value()}] = now_ + *refused;
    }
  }
}

void Master::RemoveInverseOffers(const std::function<bool(const MasterInverseOffer&)>& which,
                                 bool rescind) {
  std::erase_if(inverse_offers_, [&](const auto& entry) {
    const auto& [id, offer] = entry;
    if (!which(offer)) return false;
    if (!rescind) return true;
    scheduler::Event event;
    event.set_type(scheduler::Event::RESCIND_INVERSE_OFFER);
    *event.mutable_rescind_inverse_offer()->mutable_inverse_offer_id() = offer.wire.id();
    Send(frameworks_.at(offer.wire.framework_id().value()), std::move(event));
    return true;
  });
}

void Master::RemoveOffersAt(const MasterAgent& agent) {
  RemoveOffers(agent.offers, true);
  RemoveInverseOffers(
      [&](const auto& offer) { return offer.wire.agent_id().value() == agent.id(); }, true);
}

void Master::RemoveOffersOf(const MasterFramework& framework) {
  RemoveOffers(framework.offers, false);
  RemoveInverseOffers(
      [&](const auto& offer) { return offer.wire.framework_id().value() == framework.id(); },
      false);
}

void Master::ForgetInverseAnswers(const std::string& agent_id) {
  inverse_answers_.erase(agent_id);
  std::erase_if(inverse_filters_,
                [&](const auto& entry) { return entry.first.second == agent_id; });
}

}  // namespace kiln::local
