// What becomes of operations on resources: the agent's answer is kept until the framework
// acknowledges it.
#include "local/cluster/master.h"
#include "local/cluster/operations.h"

namespace kiln::local {

namespace scheduler = mesos::v1::scheduler;
using mesos::v1::Operation;
using mesos::v1::OperationID;
using mesos::v1::OperationState;
using mesos::v1::OperationStatus;

namespace {

bool IsPending(const Operation& operation) {
  return operation.latest_status().state() == mesos::v1::OPERATION_PENDING;
}

}  // namespace

void Master::SendOperationStatus(const MasterFramework& framework, OperationStatus status) {
  scheduler::Event event;
  event.set_type(scheduler::Event::UPDATE_OPERATION_STATUS);
  *event.mutable_update_operation_status()->mutable_status() = std::move(status);
  Send(framework, std::move(event));
}

void Master::On(const std::string& pid, const UpdateOperationStatus& message) {
  MasterAgent* agent = AgentAt(pid);
  if (!agent) return;
  auto found = agent->operations.find(message.operation_uuid);
  const std::string framework_id = message.framework_id ? message.framework_id->value() : "";
  auto framework = frameworks_.find(framework_id);
  if (found == agent->operations.end() || IsCompleted(framework_id)) {
    // Nobody is left who would acknowledge it.
    Tell(*agent, AcknowledgeOperationStatus{message.operation_uuid, message.status.uuid().value()});
    agent->operations.erase(message.operation_uuid);
    return EndDrain(agent->id());
  }
  Operation& operation = found->second;
  if (IsPending(operation)) *operation.add_statuses() = message.status;
  *operation.mutable_latest_status() = message.status;
  if (!operation.info().has_id()) {
    agent->operations.erase(found);
    return EndDrain(agent->id());
  }
  if (framework != frameworks_.end()) SendOperationStatus(framework->second, message.status);
}

Operation* Master::FindOperation(const MasterFramework& framework, const OperationID& id) {
  for (auto& [agent_id, agent] : agents_) {
    for (auto& [uuid, operation] : agent.operations) {
      if (operation.framework_id().value() == framework.id() && operation.info().has_id() &&
          operation.info().id().value() == id.value()) {
        return &operation;
      }
    }
  }
  return nullptr;
}

void Master::AcknowledgeOperation(const MasterFramework& framework,
                                  const scheduler::Call::AcknowledgeOperationStatus& acknowledge) {
  MasterAgent* agent = FindAgent(acknowledge.agent_id().value());
  const Operation* operation = FindOperation(framework, acknowledge.operation_id());
  if (!agent || !agent->connected || !operation || operation->agent_id().value() != agent->id() ||
      operation->latest_status().uuid().value() != acknowledge.uuid()) {
    return;
  }
  const std::string uuid = operation->uuid().value();
  agent->operations.erase(uuid);
  Tell(*agent, AcknowledgeOperationStatus{uuid, acknowledge.uuid()});
  EndDrain(agent->id());
}

void Master::ReconcileOperations(MasterFramework& framework,
                                 const scheduler::Call::ReconcileOperations& reconcile) {
  const auto tell = [&](const Operation& operation) {
    OperationStatus status = operation.latest_status();
    status.clear_uuid();
    SendOperationStatus(framework, std::move(status));
  };
  if (reconcile.operations_size() == 0) {
    for (const auto& [agent_id, agent] : agents_) {
      for (const auto& [uuid, operation] : agent.operations) {
        if (operation.framework_id().value() == framework.id()) tell(operation);
      }
    }
    return;
  }
  for (const auto& question : reconcile.operations()) {
    if (const Operation* operation = FindOperation(framework, question.operation_id())) {
      tell(*operation);
    } else {
      SendOperationStatus(framework, UnknownOperation(question));
    }
  }
}

OperationStatus Master::UnknownOperation(
    const scheduler::Call::ReconcileOperations::Operation& question) const {
  OperationStatus status;
  *status.mutable_operation_id() = question.operation_id();
  status.set_state(mesos::v1::OPERATION_UNKNOWN);
  if (!question.has_agent_id()) {
    status.set_message("Reconciliation: Operation is unknown and no 'agent_id' was provided");
    return status;
  }
  *status.mutable_agent_id() = question.agent_id();
  const std::string& id = question.agent_id().value();
  if (recovered_.count(id)) {
    status.set_state(mesos::v1::OPERATION_RECOVERING);
    status.set_message("Reconciliation: Agent is recovered but has not re-registered");
  } else if (agents_.count(id)) {
    // The agent is asked about providers that the master does not know, and has none.
    if (!question.has_resource_provider_id()) {
      status.set_message("Reconciliation: Operation is unknown");
    }
  } else if (registry_.unreachable.count(id)) {
    status.set_state(mesos::v1::OPERATION_UNREACHABLE);
    status.set_message("Reconciliation: Agent is unreachable");
  } else if (registry_.gone.count(id)) {
    status.set_state(mesos::v1::OPERATION_GONE_BY_OPERATOR);
    status.set_message("Reconciliation: Agent marked gone by operator");
  } else {
    status.set_message("Reconciliation: Both operation and agent are unknown");
  }
  if (question.has_resource_provider_id()) {
    *status.mutable_resource_provider_id() = question.resource_provider_id();
  }
  return status;
}

void Master::LoseOperations(const MasterAgent& agent, OperationState state,
                            const std::string& message) {
  for (const auto& [uuid, operation] : agent.operations) {
    auto framework = frameworks_.find(operation.framework_id().value());
    if (framework == frameworks_.end() || !operation.info().has_id()) continue;
    OperationStatus status;
    *status.mutable_operation_id() = operation.info().id();
    status.set_state(state);
    status.set_message(message);
    *status.mutable_agent_id() = agent.info.id();
    SendOperationStatus(framework->second, std::move(status));
  }
}

void Master::ReturnOperations(MasterAgent& agent, const ReregisterAgent& message) {
  std::map<std::string, Operation> known;
  for (const Operation& operation : message.operations) {
    known[operation.uuid().value()] = operation;
  }
  // One that never reached the agent has changed nothing.
  std::erase_if(agent.operations, [&](const auto& entry) {
    return known.count(entry.first) > 0 || !IsPending(entry.second);
  });
  LoseOperations(agent, mesos::v1::OPERATION_DROPPED,
                 "Reconciliation: operation unknown to the agent");
  agent.operations = std::move(known);
  Resources total = TotalResources(agent.info, message.checkpointed_resources);
  if (total == agent.total) return;
  RemoveOffersAt(agent);
  agent.total = std::move(total);
  allocator_.RemoveAgent(agent.id());
  AddToAllocator(agent);
}

}  // namespace kiln::local
