// Dynamic reservations and volumes of an agent: operations change them and are saved with them.
#include <algorithm>
#include <utility>

#include "local/cluster/agent.h"
#include "local/cluster/operations.h"

namespace kiln::local {

using mesos::v1::Operation;

void Agent::Restore(const SaveResources& saved) {
  total_ = TotalResources(options_.info, saved.resources);
  for (const Operation& operation : saved.operations) {
    operations_[operation.uuid().value()] = {operation, {}, {}};
  }
}

void Agent::On(Instant now, const ApplyOperation& message) {
  if (!Working() || operations_.contains(message.operation_uuid)) return;
  Operation operation;
  if (message.framework_id) *operation.mutable_framework_id() = *message.framework_id;
  *operation.mutable_agent_id() = options_.info.id();
  *operation.mutable_info() = message.operation;
  operation.mutable_uuid()->set_value(message.operation_uuid);
  auto& status = *operation.mutable_latest_status();
  if (message.operation.has_id()) {
    *status.mutable_operation_id() = message.operation.id();
    status.mutable_uuid()->set_value(NewUuid());
  }
  *status.mutable_agent_id() = options_.info.id();
  const Conversion conversion = ConversionOf(message.operation);
  const Resources from = conversion.from.Unallocated();
  if (total_.Contains(from)) {
    total_ -= from;
    total_ += conversion.to.Unallocated();
    status.set_state(mesos::v1::OPERATION_FINISHED);
  } else {
    status.set_state(mesos::v1::OPERATION_ERROR);
    status.set_message(ToText(total_) + " does not contain " + ToText(from));
  }
  *operation.add_statuses() = status;
  PendingOperation pending{operation, {}, {}};
  if (message.operation.has_id()) operations_[message.operation_uuid] = pending;
  SaveKept();
  ForwardOperation(now, message.operation.has_id() ? operations_[message.operation_uuid] : pending);
}

void Agent::On(Instant, const AcknowledgeOperationStatus& message) {
  auto found = operations_.find(message.operation_uuid);
  if (found == operations_.end()) return;
  if (found->second.operation.latest_status().uuid().value() != message.status_uuid) return;
  operations_.erase(found);
  SaveKept();
}

void Agent::SaveKept() {
  SaveResources action{KeptResources(total_), {}};
  for (const auto& [uuid, pending] : operations_) action.operations.push_back(pending.operation);
  actions_.emplace_back(std::move(action));
}

void Agent::ForwardOperation(Instant now, PendingOperation& pending) {
  pending.wait = pending.wait == Duration::zero()
                     ? TaskUpdates::kFirstResend
                     : std::min(pending.wait * 2, TaskUpdates::kLastResend);
  pending.due = now + pending.wait;
  if (phase_ != AgentPhase::kRegistered) return;
  const Operation& operation = pending.operation;
  UpdateOperationStatus message{
      options_.info.id(), {}, operation.uuid().value(), operation.latest_status()};
  if (operation.has_framework_id()) message.framework_id = operation.framework_id();
  Send(std::move(message));
}

void Agent::ForwardOperations(Instant now, bool all) {
  for (auto& [uuid, pending] : operations_) {
    if (all) pending.wait = {};
    if (all || pending.due <= now) ForwardOperation(now, pending);
  }
}

}  // namespace kiln::local
