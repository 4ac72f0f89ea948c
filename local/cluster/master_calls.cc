// Scheduler calls: the checks in their order, and the calls that are short.
#include <fmt/format.h>

#include <algorithm>

#include "local/cluster/agent_updates.h"
#include "local/cluster/master.h"
#include "local/cluster/validation.h"

namespace kiln::local {

namespace scheduler = mesos::v1::scheduler;
using mesos::v1::AgentID;
using mesos::v1::TaskID;
using mesos::v1::TaskStatus;
using mesos::v1::master::InverseOfferStatus;

void Master::On(const SchedulerCall& input) {
  ++counts_.messages;
  if (auto refusal = RefuseCall(input)) {
    ++counts_.dropped_messages;
    actions_.emplace_back(std::move(*refusal));
    return;
  }
  if (input.call.type() == scheduler::Call::SUBSCRIBE) {
    Subscribe(input);
    return;
  }
  Dispatch(frameworks_.at(input.call.framework_id().value()), input);
}

std::optional<AnswerRequest> Master::RefuseCall(const SchedulerCall& input) const {
  const scheduler::Call& call = input.call;
  auto refuse = [&](int status, std::string text) {
    return AnswerRequest{input.request, status, std::move(text)};
  };
  if (Objection objection = ValidateCall(call, input.principal)) {
    return refuse(400, "Failed to validate scheduler::Call: " + *objection);
  }
  const bool subscribes = call.type() == scheduler::Call::SUBSCRIBE;
  if (!input.acceptable && (subscribes || call.type() == scheduler::Call::RECONCILE_OPERATIONS)) {
    return refuse(406,
                  "Expecting 'Accept' to allow 'application/x-protobuf' or 'application/json'");
  }
  if (subscribes) {
    if (!input.stream_id) return std::nullopt;
    return refuse(400, "Subscribe calls should not include the 'Mesos-Stream-Id' header");
  }
  auto found = frameworks_.find(call.framework_id().value());
  if (found == frameworks_.end()) return refuse(400, "Framework cannot be found");
  const MasterFramework& framework = found->second;
  if (input.principal && *input.principal != framework.info.principal()) {
    return refuse(400, fmt::format("Authenticated principal '{}' does not match principal '{}' set "
                                   "in `FrameworkInfo`",
                                   *input.principal, framework.info.principal()));
  }
  if (!framework.connected) return refuse(403, "Framework is not subscribed");
  if (!input.stream_id) {
    return refuse(400, "All non-subscribe calls should include the 'Mesos-Stream-Id' header");
  }
  if (*input.stream_id != framework.stream) {
    return refuse(400, fmt::format("The stream ID '{}' included in this request didn't match the "
                                   "stream ID currently associated with framework ID {}",
                                   *input.stream_id, framework.id()));
  }
  // A Mesos master aborts on it.
  if (call.type() == scheduler::Call::UNKNOWN) return refuse(501, "501 Not Implemented.");
  return std::nullopt;
}

void Master::Dispatch(MasterFramework& framework, const SchedulerCall& input) {
  using Call = scheduler::Call;
  const Call& call = input.call;
  if (call.type() == Call::UPDATE_FRAMEWORK) return Update(framework, input);
  Answer(input.request, 202);
  switch (call.type()) {
    case Call::TEARDOWN:
      return Remove(framework.id());
    case Call::ACCEPT:
      return Accept(framework, call.accept());
    case Call::DECLINE:
      return Decline(framework, call.decline());
    case Call::REVIVE:
    case Call::SUPPRESS:
      return SuppressOrRevive(framework, call);
    case Call::KILL:
      return Kill(framework, call.kill());
    case Call::SHUTDOWN:
      if (MasterAgent* agent = FindAgent(call.shutdown().agent_id().value())) {
        Tell(*agent, ShutdownExecutor{framework.info.id(), call.shutdown().executor_id()});
      }
      return;
    case Call::ACKNOWLEDGE:
      return Acknowledge(framework, call.acknowledge());
    case Call::RECONCILE:
      return Reconcile(framework, call.reconcile());
    case Call::MESSAGE:
      if (MasterAgent* agent = FindAgent(call.message().agent_id().value())) {
        Tell(*agent, FrameworkToExecutor{framework.info.id(), call.message().executor_id(),
                                         call.message().data()});
      }
      return;
    case Call::RECONCILE_OPERATIONS:
      return ReconcileOperations(framework, call.reconcile_operations());
    case Call::ACKNOWLEDGE_OPERATION_STATUS:
      return AcknowledgeOperation(framework, call.acknowledge_operation_status());
    case Call::ACCEPT_INVERSE_OFFERS:
      return AnswerInverseOffers(framework, call.accept_inverse_offers().inverse_offer_ids(),
                                 call.accept_inverse_offers().filters(),
                                 InverseOfferStatus::ACCEPT);
    case Call::DECLINE_INVERSE_OFFERS:
      return AnswerInverseOffers(framework, call.decline_inverse_offers().inverse_offer_ids(),
                                 call.decline_inverse_offers().filters(),
                                 InverseOfferStatus::DECLINE);
    case Call::REQUEST:           // the built-in allocator of Mesos ignores it too
    case Call::UPDATE_FRAMEWORK:  // answered above
    case Call::SUBSCRIBE:         // not dispatched
    case Call::UNKNOWN:           // refused
      return;
  }
}

void Master::SuppressOrRevive(MasterFramework& framework, const scheduler::Call& call) {
  const bool revive = call.type() == scheduler::Call::REVIVE;
  const auto& list = revive ? call.revive().roles() : call.suppress().roles();
  const std::set<std::string> roles(list.begin(), list.end());
  const std::set<std::string> own = RolesOf(framework.info);
  // One wrong role voids the whole call.
  if (!std::includes(own.begin(), own.end(), roles.begin(), roles.end())) return;
  if (!revive) return allocator_.Suppress(framework.id(), roles);
  allocator_.Revive(framework.id(), roles);
  std::erase_if(inverse_filters_,
                [&](const auto& entry) { return entry.first.first == framework.id(); });
  Allocate();
}

void Master::Kill(MasterFramework& framework, const scheduler::Call::Kill& kill) {
  auto found = framework.tasks.find(kill.task_id().value());
  if (found == framework.tasks.end()) {
    ReconcileTask(framework, kill.task_id(),
                  kill.has_agent_id() ? std::optional(kill.agent_id()) : std::nullopt);
    return;
  }
  const std::string& agent_id = found->second.agent_id().value();
  if (kill.has_agent_id() && kill.agent_id().value() != agent_id) return;
  MasterAgent* agent = FindAgent(agent_id);
  if (!agent) return;
  const std::optional<mesos::v1::KillPolicy> policy =
      kill.has_kill_policy() ? std::optional(kill.kill_policy()) : std::nullopt;
  // Said again when the agent comes back.
  agent->kills[{framework.id(), kill.task_id().value()}] = policy;
  Tell(*agent, KillTask{framework.info.id(), kill.task_id(), policy});
}

void Master::Acknowledge(MasterFramework& framework,
                         const scheduler::Call::Acknowledge& acknowledge) {
  MasterAgent* agent = FindAgent(acknowledge.agent_id().value());
  if (!agent || !agent->connected) {
    ++counts_.invalid_status_update_acknowledgements;
    return;
  }
  const std::string& task_id = acknowledge.task_id().value();
  auto found = framework.tasks.find(task_id);
  if (found != framework.tasks.end() && found->second.agent_id().value() == agent->id()) {
    const mesos::v1::Task& task = found->second;
    if (!task.has_status_update_state()) {
      ++counts_.invalid_status_update_acknowledgements;
      return;
    }
    if (IsTerminal(task.status_update_state()) && task.status_update_uuid() == acknowledge.uuid()) {
      RemoveTask({framework.id(), task_id});
    }
  }
  ++counts_.valid_status_update_acknowledgements;
  Tell(*agent,
       StatusUpdateAcknowledgement{framework.info.id(), acknowledge.task_id(), acknowledge.uuid()});
  EndDrain(agent->id());
}

void Master::Reconcile(MasterFramework& framework, const scheduler::Call::Reconcile& reconcile) {
  if (reconcile.tasks_size() > 0) {
    for (const auto& task : reconcile.tasks()) {
      ReconcileTask(framework, task.task_id(),
                    task.has_agent_id() ? std::optional(task.agent_id()) : std::nullopt);
    }
    return;
  }
  for (const auto& [id, task] : framework.tasks) {
    TaskID task_id;
    task_id.set_value(id);
    ReconcileTask(framework, task_id, std::nullopt);
  }
}

void Master::ReconcileTask(MasterFramework& framework, const TaskID& task_id,
                           const std::optional<AgentID>& agent_id) {
  constexpr auto kReason = TaskStatus::REASON_RECONCILIATION;
  if (auto found = framework.tasks.find(task_id.value()); found != framework.tasks.end()) {
    const mesos::v1::Task& task = found->second;
    TaskStatus status =
        NewStatus(task, task.has_status_update_state() ? task.status_update_state() : task.state(),
                  kReason, "Reconciliation: Latest task state");
    return SendStatus(framework, std::move(status));
  }
  const std::string agent = agent_id ? agent_id->value() : "";
  // Agents of the master's former life may still bring it.
  if (agent_id ? recovered_.count(agent) > 0 : !recovered_.empty()) return;
  const bool aware = framework.PartitionAware();
  auto reply = [&](mesos::v1::TaskState state, const char* message) {
    TaskStatus status = NewStatus(task_id, aware ? state : mesos::v1::TASK_LOST, kReason, message);
    if (agent_id) *status.mutable_agent_id() = *agent_id;
    return status;
  };
  if (agents_.count(agent)) {
    SendStatus(framework,
               reply(mesos::v1::TASK_GONE, "Reconciliation: Task is unknown to the agent"));
  } else if (auto since = registry_.unreachable.find(agent); since != registry_.unreachable.end()) {
    TaskStatus status = reply(mesos::v1::TASK_UNREACHABLE, "Reconciliation: Task is unreachable");
    status.mutable_unreachable_time()->set_nanoseconds(since->second.nanoseconds);
    SendStatus(framework, std::move(status));
  } else if (registry_.gone.count(agent)) {
    SendStatus(framework, reply(mesos::v1::TASK_GONE_BY_OPERATOR, "Reconciliation: Task is gone"));
  } else {
    SendStatus(framework, reply(mesos::v1::TASK_UNKNOWN, "Reconciliation: Task is unknown"));
  }
}

}  // namespace kiln::local
