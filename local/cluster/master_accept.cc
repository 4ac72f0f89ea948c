// ACCEPT: offers are checked and used up, operations carried out one after the other on what is
// left, and the rest is declined.
#include <fmt/format.h>

#include <algorithm>

#include "local/cluster/agent_state.h"
#include "local/cluster/agent_updates.h"
#include "local/cluster/master.h"
#include "local/cluster/operations.h"
#include "local/cluster/validation.h"

namespace kiln::local {

namespace scheduler = mesos::v1::scheduler;
namespace operators = mesos::v1::master;
using mesos::v1::ExecutorInfo;
using mesos::v1::Offer;
using mesos::v1::TaskInfo;
using mesos::v1::TaskStatus;

// One ACCEPT on its way.
struct Master::Acceptance {
  MasterFramework& framework;
  MasterAgent& agent;
  std::string role;
  Resources left;     // of the offers
  Resources resized;  // volumes: not to be had in the same ACCEPT
};

namespace {

// Missing allocations are those of the offer.
void FillIn(ResourceList* resources, const std::string& role) {
  for (mesos::v1::Resource& resource : *resources) {
    if (!resource.has_allocation_info()) resource.mutable_allocation_info()->set_role(role);
  }
}

void FillIn(TaskInfo* task, const std::string& role) {
  FillIn(task->mutable_resources(), role);
  if (task->has_executor()) FillIn(task->mutable_executor()->mutable_resources(), role);
}

void InferType(TaskInfo* task) {
  if (!task->has_health_check() || task->health_check().has_type()) return;
  mesos::v1::HealthCheck* check = task->mutable_health_check();
  if (check->has_command() && !check->has_http()) {
    check->set_type(mesos::v1::HealthCheck::COMMAND);
  } else if (check->has_http() && !check->has_command()) {
    check->set_type(mesos::v1::HealthCheck::HTTP);
  }
}

bool IsOperationKnown(const Offer::Operation& operation) {
  return operation.has_type() && operation.type() != Offer::Operation::UNKNOWN;
}

}  // namespace

void Master::Accept(MasterFramework& framework, const scheduler::Call::Accept& accept) {
  if (Objection objection = RefuseOffers(framework, accept)) {
    for (const auto& id : accept.offer_ids()) {
      if (framework.offers.count(id.value())) RemoveOffer(id.value(), false);
    }
    for (const Offer::Operation& operation : accept.operations()) {
      RefuseOperation(framework, operation,
                      framework.PartitionAware() ? mesos::v1::TASK_DROPPED : mesos::v1::TASK_LOST,
                      TaskStatus::REASON_INVALID_OFFERS,
                      "Task launched with invalid offers: " + *objection,
                      "Operation attempted with invalid offers: " + *objection);
    }
    return;
  }
  const MasterOffer& first = offers_.at(accept.offer_ids(0).value());
  Acceptance acceptance{framework, agents_.at(first.wire.agent_id().value()), first.role(), {}};
  for (const auto& id : accept.offer_ids()) {
    acceptance.left += Resources(offers_.at(id.value()).wire.resources());
    offers_.erase(id.value());
    framework.offers.erase(id.value());
    acceptance.agent.offers.erase(id.value());
  }
  const Resources offered = acceptance.left;
  for (const Offer::Operation& operation : accept.operations()) Apply(acceptance, operation);
  // What the framework has made of the offers is not what it declines.
  const Resources made = acceptance.left - offered;
  allocator_.Recover(framework.id(), acceptance.agent.id(), made + acceptance.resized, {}, now_);
  allocator_.Recover(framework.id(), acceptance.agent.id(), acceptance.left - made,
                     RefusedFor(accept.filters()), now_);
}

Objection Master::RefuseOffers(const MasterFramework& framework,
                               const scheduler::Call::Accept& accept) const {
  if (accept.offer_ids_size() == 0) return "No offers specified";
  std::set<std::string> seen;
  for (const auto& id : accept.offer_ids()) {
    if (!seen.insert(id.value()).second) {
      return fmt::format("Duplicate offer {} in offer list", id.value());
    }
  }
  for (const auto& id : accept.offer_ids()) {
    if (!offers_.count(id.value())) {
      return fmt::format("Offer {} is no longer valid", id.value());
    }
  }
  for (const auto& id : accept.offer_ids()) {
    const Offer& offer = offers_.at(id.value()).wire;
    if (offer.framework_id().value() != framework.id()) {
      return fmt::format("Offer {} has invalid framework {} while framework {} is expected",
                         id.value(), offer.framework_id().value(), framework.id());
    }
  }
  const MasterOffer& first = offers_.at(accept.offer_ids(0).value());
  for (const auto& id : accept.offer_ids()) {
    const MasterOffer& offer = offers_.at(id.value());
    if (offer.role() != first.role()) {
      return fmt::format(
          "Aggregated offers must be allocated to the same role. Offer {} uses role '{}' but "
          "another is using role '{}'",
          id.value(), offer.role(), first.role());
    }
  }
  for (const auto& id : accept.offer_ids()) {
    const Offer& offer = offers_.at(id.value()).wire;
    if (offer.agent_id().value() != first.wire.agent_id().value()) {
      return fmt::format(
          "Aggregated offers must belong to one single agent. Offer {} uses agent {} and agent {}",
          id.value(), offer.agent_id().value(), first.wire.agent_id().value());
    }
  }
  return std::nullopt;
}

void Master::Apply(Acceptance& acceptance, Offer::Operation operation) {
  if (!IsOperationKnown(operation)) return;
  const bool group = operation.type() == Offer::Operation::LAUNCH_GROUP;
  auto refuse = [&](const std::string& task_message, const std::string& operation_message) {
    RefuseOperation(acceptance.framework, operation, mesos::v1::TASK_ERROR,
                    group ? TaskStatus::REASON_TASK_GROUP_INVALID : TaskStatus::REASON_TASK_INVALID,
                    task_message, operation_message);
  };
  if (Objection objection = ValidateAndUpgrade(&operation)) {
    return refuse(*objection, "Operation attempted with invalid resources: " + *objection);
  }
  switch (operation.type()) {
    case Offer::Operation::LAUNCH:
    case Offer::Operation::LAUNCH_GROUP:
      if (operation.has_id()) {
        const std::string text = fmt::format("The `id` field cannot be set on {} operations",
                                             Offer::Operation::Type_Name(operation.type()));
        return refuse(text, text);
      }
      if (group) return LaunchGroup(acceptance, *operation.mutable_launch_group());
      return Launch(acceptance, *operation.mutable_launch());
    case Offer::Operation::RESERVE:
    case Offer::Operation::UNRESERVE:
    case Offer::Operation::CREATE:
    case Offer::Operation::DESTROY:
    case Offer::Operation::GROW_VOLUME:
    case Offer::Operation::SHRINK_VOLUME:
    case Offer::Operation::CREATE_DISK:
    case Offer::Operation::DESTROY_DISK:
      return Convert(acceptance, operation);
    case Offer::Operation::UNKNOWN:
      return;
  }
}

// It counts at once: the agent is the same process's, or comes back with what it has.
void Master::Convert(Acceptance& acceptance, Offer::Operation& operation) {
  MasterAgent& agent = acceptance.agent;
  const MasterFramework& framework = acceptance.framework;
  ForEachResource(&operation, [&](mesos::v1::Resource& resource) {
    if (!resource.has_allocation_info()) {
      resource.mutable_allocation_info()->set_role(acceptance.role);
    }
  });
  auto refuse = [&](const std::string& message) {
    RefuseOperation(framework, operation, mesos::v1::TASK_ERROR, TaskStatus::REASON_TASK_INVALID,
                    "", message);
  };
  const OperationContext context{&framework.info, agent.total, UsedAt(agent)};
  if (Objection objection = ValidateOperation(operation, context)) {
    return refuse(fmt::format("{}; on agent {} at {} ({})", *objection, agent.id(), agent.pid,
                              agent.info.hostname()));
  }
  const Conversion conversion = ConversionOf(operation);
  const bool resizes = operation.type() == Offer::Operation::GROW_VOLUME ||
                       operation.type() == Offer::Operation::SHRINK_VOLUME;
  if (!acceptance.left.Contains(conversion.from)) {
    const std::string prefix = resizes ? fmt::format("Invalid {} operation: ",
                                                     Offer::Operation::Type_Name(operation.type()))
                                       : "";
    return refuse(prefix + ToText(acceptance.left) + " does not contain " +
                  ToText(conversion.from));
  }
  acceptance.left -= conversion.from;
  (resizes ? acceptance.resized : acceptance.left) += conversion.to;
  agent.total -= conversion.from.Unallocated();
  agent.total += conversion.to.Unallocated();
  const auto bytes = UuidBytes(random_);
  const std::string uuid(bytes.begin(), bytes.end());
  mesos::v1::Operation& entry = agent.operations[uuid];
  *entry.mutable_framework_id() = framework.info.id();
  *entry.mutable_agent_id() = agent.info.id();
  *entry.mutable_info() = operation;
  entry.mutable_latest_status()->set_state(mesos::v1::OPERATION_PENDING);
  if (operation.has_id()) *entry.mutable_latest_status()->mutable_operation_id() = operation.id();
  *entry.mutable_latest_status()->mutable_agent_id() = agent.info.id();
  entry.mutable_uuid()->set_value(uuid);
  Tell(agent, ApplyOperation{framework.info.id(), uuid, operation});
}

void Master::Launch(Acceptance& acceptance, Offer::Operation::Launch& launch) {
  MasterFramework& framework = acceptance.framework;
  for (TaskInfo& task : *launch.mutable_task_infos()) {
    FillIn(&task, acceptance.role);
    InferType(&task);
    const ExecutorInfo* executor = nullptr;
    if (task.has_executor()) {
      if (!task.executor().has_framework_id()) {
        *task.mutable_executor()->mutable_framework_id() = framework.info.id();
      }
      executor = &task.executor();
    }
    auto refuse = [&](TaskStatus::Reason reason, const std::string& message) {
      TaskStatus status = NewStatus(task.task_id(), mesos::v1::TASK_ERROR, reason, message);
      *status.mutable_agent_id() = task.agent_id();
      SendStatus(framework, std::move(status));
    };
    if (Objection objection = Unauthorized(framework, task, executor)) {
      refuse(TaskStatus::REASON_TASK_UNAUTHORIZED,
             fmt::format("Principal '{}' no authorized to {}", framework.info.principal(),
                         *objection));
      continue;
    }
    TaskContext context{framework.id(), acceptance.agent.id(),
                        framework.tasks.count(task.task_id().value()) > 0};
    context.available = &acceptance.left;
    if (executor) {
      auto known =
          acceptance.agent.executors.find({framework.id(), executor->executor_id().value()});
      if (known != acceptance.agent.executors.end()) context.known_executor = &known->second;
    }
    if (Objection objection = ValidateTask(task, context)) {
      refuse(TaskStatus::REASON_TASK_INVALID, *objection);
      continue;
    }
    const bool launch_executor = !executor || AddExecutor(acceptance, *executor);
    AddTask(acceptance, task, executor ? &executor->executor_id() : nullptr);
    Tell(acceptance.agent, RunTask{framework.info, task, launch_executor});
  }
}

// What the tasks of this executor have said, if it has any.
std::optional<bool> Master::SharesCgroups(const Acceptance& acceptance,
                                          const mesos::v1::ExecutorID& executor_id) {
  for (const auto& [id, task] : acceptance.framework.tasks) {
    if (task.agent_id().value() != acceptance.agent.id() || !task.has_executor_id()) continue;
    if (task.executor_id().value() != executor_id.value()) continue;
    return task.container().linux_info().share_cgroups();
  }
  return std::nullopt;
}

void Master::LaunchGroup(Acceptance& acceptance, Offer::Operation::LaunchGroup& launch) {
  MasterFramework& framework = acceptance.framework;
  ExecutorInfo* executor = launch.mutable_executor();
  FillIn(executor->mutable_resources(), acceptance.role);
  for (TaskInfo& task : *launch.mutable_task_group()->mutable_tasks()) {
    FillIn(&task, acceptance.role);
  }
  auto refuse = [&](TaskStatus::Reason reason, const std::string& message) {
    for (const TaskInfo& task : launch.task_group().tasks()) {
      TaskStatus status = NewStatus(task.task_id(), mesos::v1::TASK_ERROR, reason, message);
      *status.mutable_agent_id() = task.agent_id();
      SendStatus(framework, std::move(status));
    }
  };
  std::string unauthorized;
  for (const TaskInfo& task : launch.task_group().tasks()) {
    if (Objection objection = Unauthorized(framework, task, executor)) {
      unauthorized =
          fmt::format("Task '{}' is not authorized to{}", task.task_id().value(), *objection);
    }
  }
  if (!unauthorized.empty()) {
    return refuse(TaskStatus::REASON_TASK_GROUP_UNAUTHORIZED, unauthorized);
  }
  TaskContext context{framework.id(), acceptance.agent.id()};
  context.available = &acceptance.left;
  auto known = acceptance.agent.executors.find({framework.id(), executor->executor_id().value()});
  if (known != acceptance.agent.executors.end()) {
    context.known_executor = &known->second;
    context.share_cgroups = SharesCgroups(acceptance, executor->executor_id());
  }
  auto taken = [&](const std::string& id) { return framework.tasks.count(id) > 0; };
  if (Objection objection = ValidateTaskGroup(launch, context, taken)) {
    return refuse(TaskStatus::REASON_TASK_GROUP_INVALID, *objection);
  }
  const bool launch_executor = AddExecutor(acceptance, *executor);
  for (TaskInfo& task : *launch.mutable_task_group()->mutable_tasks()) {
    *task.mutable_executor() = *executor;
    AddTask(acceptance, task, &executor->executor_id());
  }
  // An agent makes nothing of an empty group; the executor is accounted for all the same.
  if (launch.task_group().tasks().empty()) return;
  Tell(acceptance.agent,
       RunTaskGroup{framework.info, *executor, launch.task_group(), launch_executor});
}

// "launch task t1 of framework F under user 'root'", when the task's user may not run it.
Objection Master::Unauthorized(const MasterFramework& framework, const TaskInfo& task,
                               const ExecutorInfo* executor) const {
  const std::string& user = task.command().has_user() ? task.command().user()
                            : executor && executor->command().has_user()
                                ? executor->command().user()
                                : framework.info.user();
  const std::optional<std::string> principal =
      framework.info.has_principal() ? std::optional(framework.info.principal()) : std::nullopt;
  if (Allows(options_.acls.run_tasks, options_.acls.permissive, principal, user)) {
    return std::nullopt;
  }
  return fmt::format("launch task {} of framework {} under user '{}'", task.task_id().value(),
                     framework.id(), user);
}

// False when it is there already.
bool Master::AddExecutor(Acceptance& acceptance, const ExecutorInfo& executor) {
  auto [entry, fresh] = acceptance.agent.executors.emplace(
      MasterExecutorKey{acceptance.framework.id(), executor.executor_id().value()}, executor);
  if (fresh) acceptance.left -= Resources(executor.resources());
  return fresh;
}

void Master::AddTask(Acceptance& acceptance, const TaskInfo& info,
                     const mesos::v1::ExecutorID* executor_id) {
  mesos::v1::Task task = TaskOf(info, mesos::v1::TASK_STAGING, acceptance.framework.info.id());
  task.clear_executor_id();
  if (executor_id) *task.mutable_executor_id() = *executor_id;
  acceptance.left -= Resources(task.resources());
  PublishAdded(task);
  const std::string& id = info.task_id().value();
  std::erase_if(acceptance.framework.unreachable,
                [&](const auto& entry) { return entry.first == id; });
  acceptance.agent.tasks.insert({acceptance.framework.id(), id});
  acceptance.framework.tasks[id] = std::move(task);
}

void Master::RefuseOperation(const MasterFramework& framework, const Offer::Operation& operation,
                             mesos::v1::TaskState state, TaskStatus::Reason reason,
                             const std::string& task_message,
                             const std::string& operation_message) {
  auto refuse = [&](const TaskInfo& task) {
    TaskStatus status = NewStatus(task.task_id(), state, reason, task_message);
    *status.mutable_agent_id() = task.agent_id();
    SendStatus(framework, std::move(status));
  };
  if (operation.type() == Offer::Operation::LAUNCH) {
    for (const TaskInfo& task : operation.launch().task_infos()) refuse(task);
    return;
  }
  if (operation.type() == Offer::Operation::LAUNCH_GROUP) {
    for (const TaskInfo& task : operation.launch_group().task_group().tasks()) refuse(task);
    return;
  }
  // Without an id there is nobody to tell.
  if (!operation.has_id()) return;
  scheduler::Event event;
  event.set_type(scheduler::Event::UPDATE_OPERATION_STATUS);
  auto* status = event.mutable_update_operation_status()->mutable_status();
  *status->mutable_operation_id() = operation.id();
  status->set_state(mesos::v1::OPERATION_ERROR);
  status->set_message(operation_message);
  Send(framework, std::move(event));
}

}  // namespace kiln::local
