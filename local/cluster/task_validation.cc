#include "local/cluster/task_validation.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "local/cluster/check_validation.h"

namespace kiln::local {

using mesos::v1::ExecutorInfo;
using mesos::v1::Offer;
using mesos::v1::Resource;
using mesos::v1::TaskInfo;
using mesos::v1::Value;

namespace {

constexpr double kMinExecutorCpus = 0.01;
constexpr double kMinExecutorMem = 32;

Objection ValidateRanges(const Value::Ranges& ranges) {
  for (int i = 0; i < ranges.range_size(); ++i) {
    const auto& a = ranges.range(i);
    if (a.begin() > a.end()) return "Invalid ranges resource: begin > end";
    for (int j = i + 1; j < ranges.range_size(); ++j) {
      const auto& b = ranges.range(j);
      if (a.begin() <= b.end() && b.begin() <= a.end()) {
        return "Invalid ranges resource: overlapping ranges";
      }
    }
  }
  return std::nullopt;
}

Objection ValidateAndUpgrade(Resource* resource) {
  const Objection objection = ValidateResource(*resource);
  UpgradeResource(resource);
  if (!objection) return std::nullopt;
  return fmt::format("Resource '{}' is invalid: {}", ToText(*resource), *objection);
}

Objection ValidateAndUpgrade(ResourceList* resources) {
  for (Resource& resource : *resources) {
    if (Objection objection = ValidateAndUpgrade(&resource)) return objection;
  }
  return std::nullopt;
}

Objection ValidateAndUpgrade(TaskInfo* task) {
  if (Objection objection = ValidateAndUpgrade(task->mutable_resources())) return objection;
  if (!task->has_executor()) return std::nullopt;
  return ValidateAndUpgrade(task->mutable_executor()->mutable_resources());
}

// What all resources of a task, or of an executor, must keep to together.
// Of one name, all are revocable or none is.
Objection ValidateOneKind(const ResourceList& resources, const std::string& who) {
  std::map<std::string, bool> revocable;
  for (const Resource& resource : resources) {
    const auto [seen, fresh] = revocable.emplace(resource.name(), resource.has_revocable());
    if (fresh || seen->second == resource.has_revocable()) continue;
    return fmt::format(
        "{} revocable and non-revocable resources: Cannot use both revocable and "
        "non-revocable '{}' at the same time",
        who, resource.name());
  }
  return std::nullopt;
}

Objection ValidateTogether(const ResourceList& resources, const char* owner) {
  for (const Resource& resource : resources) {
    if (resource.name() == "gpus" && resource.type() == Value::SCALAR &&
        std::floor(resource.scalar().value()) != resource.scalar().value()) {
      return fmt::format(
          "{} uses invalid resources: Invalid 'gpus' resource: The 'gpus' resource must be an "
          "unsigned integer",
          owner);
    }
  }
  for (const Resource& resource : resources) {
    const Resource& first = resources.Get(0);
    if (resource.allocation_info().role() != first.allocation_info().role()) {
      return fmt::format(
          "Invalid {} resources: The resources have multiple allocation roles ('{}' and '{}') but "
          "only one allocation role is allowed",
          owner == std::string("Task") ? "task" : "executor", resource.allocation_info().role(),
          first.allocation_info().role());
    }
  }
  return ValidateOneKind(resources, fmt::format("{} mixes", owner));
}

// The JSON of a resource with its keys in the order of the alphabet, as Mesos prints it in errors.
std::string JsonText(const Resource& resource) {
  std::string text = "{";
  if (resource.has_allocation_info()) {
    text +=
        fmt::format("\"allocation_info\":{{\"role\":\"{}\"}},", resource.allocation_info().role());
  }
  text += fmt::format("\"name\":\"{}\",", resource.name());
  if (resource.has_ranges()) {
    std::string ranges;
    for (const auto& range : resource.ranges().range()) {
      ranges += fmt::format("{}{{\"begin\":{},\"end\":{}}}", ranges.empty() ? "" : ",",
                            range.begin(), range.end());
    }
    text += fmt::format("\"ranges\":{{\"range\":[{}]}},", ranges);
  }
  if (resource.has_scalar()) {
    std::string number = fmt::format("{}", resource.scalar().value());
    if (number.find_first_of(".en") == std::string::npos) number += ".0";
    text += fmt::format("\"scalar\":{{\"value\":{}}},", number);
  }
  if (resource.has_set()) {
    text +=
        fmt::format("\"set\":{{\"item\":[\"{}\"]}},", fmt::join(resource.set().item(), "\",\""));
  }
  return text + fmt::format("\"type\":\"{}\"}}", Value::Type_Name(resource.type()));
}

std::string JsonText(const ResourceList& resources) {
  std::string text;
  for (const Resource& resource : resources) {
    text += (text.empty() ? "" : ",") + JsonText(resource);
  }
  return "[" + text + "]";
}

bool Overlap(const Resource& a, const Resource& b) {
  if (a.type() == Value::SCALAR || !SameKind(a, b)) return false;
  Resources left(ResourceList(&a, &a + 1));
  const Resources whole = left;
  left -= b;
  return !(left == whole);
}

Objection ValidateNoOverlap(const ResourceList& task, const ResourceList& executor) {
  for (const Resource& a : task) {
    for (const Resource& b : executor) {
      if (!Overlap(a, b)) continue;
      return fmt::format(
          "There are overlapping resources in the task resources {} and executor resources {}",
          JsonText(task), JsonText(executor));
    }
  }
  return std::nullopt;
}

std::multiset<std::string> Serialized(const auto& messages) {
  std::multiset<std::string> all;
  for (const auto& message : messages) all.insert(message.SerializePartialAsString());
  return all;
}

bool SameCommand(const mesos::v1::CommandInfo& a, const mesos::v1::CommandInfo& b) {
  return a.value() == b.value() && a.user() == b.user() && a.shell() == b.shell() &&
         std::equal(a.arguments().begin(), a.arguments().end(), b.arguments().begin(),
                    b.arguments().end()) &&
         Serialized(a.uris()) == Serialized(b.uris()) &&
         Serialized(a.environment().variables()) == Serialized(b.environment().variables());
}

// Labels and the shutdown grace period do not count.
bool SameExecutor(const ExecutorInfo& a, const ExecutorInfo& b) {
  return a.has_type() == b.has_type() && a.type() == b.type() && a.data() == b.data() &&
         Resources(a.resources()) == Resources(b.resources()) &&
         a.has_command() == b.has_command() && SameCommand(a.command(), b.command()) &&
         a.framework_id().value() == b.framework_id().value() && a.name() == b.name() &&
         a.source() == b.source() && a.has_container() == b.has_container() &&
         a.container().SerializePartialAsString() == b.container().SerializePartialAsString() &&
         a.has_discovery() == b.has_discovery() &&
         a.discovery().SerializePartialAsString() == b.discovery().SerializePartialAsString();
}

Objection ValidateCompatible(const ExecutorInfo& executor, const ExecutorInfo* known) {
  if (!known || SameExecutor(executor, *known)) return std::nullopt;
  const std::string line(60, '-');
  return fmt::format(
      "ExecutorInfo is not compatible with existing ExecutorInfo with same ExecutorID.\n{0}\n"
      "Existing ExecutorInfo:\n{1}\n{0}\nExecutorInfo:\n{2}\n{0}\n",
      line, known->DebugString(), executor.DebugString());
}

Objection ValidateExecutorType(const ExecutorInfo& executor) {
  switch (executor.type()) {
    case ExecutorInfo::DEFAULT:
      if (executor.has_command()) {
        return "'ExecutorInfo.command' must not be set for 'DEFAULT' executor";
      }
      if (executor.has_container() &&
          executor.container().type() != mesos::v1::ContainerInfo::MESOS) {
        return "'ExecutorInfo.container.type' must be 'MESOS' for 'DEFAULT' executor";
      }
      return std::nullopt;
    case ExecutorInfo::CUSTOM:
      if (!executor.has_command()) {
        return "'ExecutorInfo.command' must be set for 'CUSTOM' executor";
      }
      return std::nullopt;
    case ExecutorInfo::UNKNOWN:
      return std::nullopt;
  }
  return std::nullopt;
}

Objection ValidateExecutor(const ExecutorInfo& executor, const TaskContext& context) {
  if (Objection objection = ValidateExecutorType(executor)) return objection;
  if (Objection objection = ValidateId(executor.executor_id().value())) return objection;
  if (!executor.has_framework_id()) return "'ExecutorInfo.framework_id' must be set";
  if (executor.framework_id().value() != context.framework_id) {
    return fmt::format("ExecutorInfo has an invalid FrameworkID (Actual: {} vs Expected: {})",
                       executor.framework_id().value(), context.framework_id);
  }
  if (executor.shutdown_grace_period().nanoseconds() < 0) {
    return "ExecutorInfo's 'shutdown_grace_period' must be non-negative";
  }
  if (Objection objection = ValidateTogether(executor.resources(), "Executor")) return objection;
  if (Objection objection = ValidateCommand(executor.command())) {
    return "Executor's `CommandInfo` is invalid: " + *objection;
  }
  if (!executor.has_container()) return ValidateCompatible(executor, context.known_executor);
  if (Objection objection = ValidateContainer(executor.container())) {
    return "Executor's `ContainerInfo` is invalid: " + *objection;
  }
  if (executor.container().linux_info().has_share_cgroups() &&
      executor.container().linux_info().share_cgroups()) {
    return "The 'share_cgroups' field cannot be set to 'true' on executors";
  }
  return ValidateCompatible(executor, context.known_executor);
}

Objection ValidateLimits(const TaskInfo& task) {
  const Resources resources(task.resources());
  for (const auto& [name, limit] : task.limits()) {
    if (name == "cpus") {
      if (limit.value() < resources.Quantity("cpus")) {
        return "The cpu limit must be greater than or equal to the cpu request";
      }
    } else if (name == "mem") {
      // A negative amount of bytes is a huge one to Mesos.
      if (limit.value() >= 0 && limit.value() < resources.Quantity("mem")) {
        return "The memory limit must be greater than or equal to the memory request";
      }
    } else {
      return fmt::format("Resource limit for '{}' is not supported", name);
    }
  }
  return std::nullopt;
}

// The task by itself, without its executor.
Objection ValidateTaskAlone(const TaskInfo& task, const TaskContext& context) {
  if (Objection objection = ValidateId(task.task_id().value())) return objection;
  if (context.duplicate_task_id) return "Task has duplicate ID: " + task.task_id().value();
  if (task.agent_id().value() != context.agent_id) {
    return fmt::format("Task uses invalid agent {} while agent {} is expected",
                       task.agent_id().value(), context.agent_id);
  }
  if (task.kill_policy().grace_period().nanoseconds() < 0) {
    return "Task's 'kill_policy.grace_period' must be non-negative";
  }
  if (task.max_completion_time().nanoseconds() < 0) {
    return "Task's `max_completion_time` must be non-negative";
  }
  if (task.has_check()) {
    if (Objection objection = ValidateCheck(task.check())) {
      return "Task uses invalid check: " + *objection;
    }
  }
  if (task.has_health_check()) {
    if (Objection objection = ValidateHealthCheck(task.health_check())) {
      return "Task uses invalid health check: " + *objection;
    }
  }
  if (task.resources_size() == 0) return "Task uses no resources";
  if (Objection objection = ValidateTogether(task.resources(), "Task")) return objection;
  if (Objection objection = ValidateLimits(task)) return objection;
  if (Objection objection = ValidateCommand(task.command())) {
    return "Task's `CommandInfo` is invalid: " + *objection;
  }
  if (!task.has_container()) return std::nullopt;
  if (Objection objection = ValidateContainer(task.container())) {
    return "Task's `ContainerInfo` is invalid: " + *objection;
  }
  return std::nullopt;
}

Objection ValidateGroupExecutorResources(const ExecutorInfo& executor) {
  const std::string& id = executor.executor_id().value();
  const std::map<std::string, double> have = Resources(executor.resources()).Scalars();
  auto text = [&](const char* name, const char* unit) {
    auto found = have.find(name);
    return found == have.end() ? std::string("None") : ScalarText(found->second) + unit;
  };
  auto less = [&](const char* name, double minimum) {
    auto found = have.find(name);
    return found == have.end() || found->second < minimum;
  };
  if (less("cpus", kMinExecutorCpus)) {
    return fmt::format("Executor '{}' uses less CPUs ({}) than the minimum required ({})", id,
                       text("cpus", ""), kMinExecutorCpus);
  }
  if (less("mem", kMinExecutorMem)) {
    return fmt::format("Executor '{}' uses less memory ({}) than the minimum required ({}MB)", id,
                       text("mem", "MB"), kMinExecutorMem);
  }
  if (!have.count("disk")) return fmt::format("Executor '{}' uses no disk", id);
  return std::nullopt;
}

// What a task may not have in a group.
Objection ValidateInGroup(const TaskInfo& task) {
  using mesos::v1::HealthCheck;
  const auto& container = task.container();
  const auto check = task.health_check().type();
  if (container.network_infos_size() > 0 &&
      (check == HealthCheck::HTTP || check == HealthCheck::TCP)) {
    return "HTTP and TCP health checks are not supported for nested containers not joining "
           "parent's network";
  }
  if (task.has_container() && container.type() == mesos::v1::ContainerInfo::DOCKER) {
    return "Docker ContainerInfo is not supported on the task";
  }
  if (!task.limits().empty() && container.linux_info().share_cgroups()) {
    return "Resource limits may only be set for tasks within a task group when the 'share_cgroups' "
           "field is set to 'false'.";
  }
  return std::nullopt;
}

Objection ValidateGroupTasks(const Offer::Operation::LaunchGroup& launch, TaskContext context,
                             const std::function<bool(const std::string&)>& duplicate) {
  std::set<std::string> seen;
  for (const TaskInfo& task : launch.task_group().tasks()) {
    const std::string& id = task.task_id().value();
    context.duplicate_task_id = !seen.insert(id).second || duplicate(id);
    Objection objection = ValidateTaskAlone(task, context);
    if (!objection) objection = ValidateInGroup(task);
    if (objection) return fmt::format("Task '{}' is invalid: {}", id, *objection);
  }
  return std::nullopt;
}

Objection ValidateGroupExecutor(const Offer::Operation::LaunchGroup& launch,
                                const TaskContext& context) {
  const ExecutorInfo& executor = launch.executor();
  if (Objection objection = ValidateExecutor(executor, context)) return objection;
  if (!executor.has_type()) return "'ExecutorInfo.type' must be set";
  if (executor.type() == ExecutorInfo::UNKNOWN) return "Unknown executor type";
  if (executor.has_container() && executor.container().type() == mesos::v1::ContainerInfo::DOCKER) {
    return "Docker ContainerInfo is not supported on the executor";
  }
  for (const TaskInfo& task : launch.task_group().tasks()) {
    if (!task.has_executor() || SameExecutor(task.executor(), executor)) continue;
    return fmt::format("The `ExecutorInfo` of task '{}' is different from executor '{}'",
                       task.task_id().value(), executor.executor_id().value());
  }
  return ValidateGroupExecutorResources(executor);
}

// The resources of all tasks and of the executor, side by side.
Objection ValidateGroupResources(const Offer::Operation::LaunchGroup& launch) {
  ResourceList all;
  std::vector<std::string> of_tasks;
  bool overlap = false;
  const auto add = [&](const ResourceList& more) {
    for (const Resource& a : all) {
      overlap = overlap || std::any_of(more.begin(), more.end(),
                                       [&a](const Resource& b) { return Overlap(a, b); });
    }
    all.MergeFrom(more);
  };
  for (const TaskInfo& task : launch.task_group().tasks()) {
    add(task.resources());
    of_tasks.push_back(ToText(Resources(task.resources())));
  }
  add(launch.executor().resources());
  if (auto objection = ValidateOneKind(all, "Task group and executor mix")) return objection;
  if (!overlap) return std::nullopt;
  return fmt::format(
      "There are overlapping resources in the task group's task resources [ {} ] and/or executor "
      "resources {}",
      fmt::join(of_tasks, ", "), JsonText(launch.executor().resources()));
}

Objection ValidateShareCgroups(const Offer::Operation::LaunchGroup& launch,
                               std::optional<bool> all) {
  const auto& tasks = launch.task_group().tasks();
  const auto agrees = [&all](const TaskInfo& task) {
    const bool shares = task.container().linux_info().share_cgroups();
    if (!all) all = shares;
    return shares == *all;
  };
  if (std::all_of(tasks.begin(), tasks.end(), agrees)) return std::nullopt;
  return "If set, the value of 'share_cgroups' must be the same for all tasks in each task group "
         "and under a single executor";
}

}  // namespace

Objection ValidateResource(const Resource& resource) {
  if (resource.name().empty()) return "Empty resource name";
  switch (resource.type()) {
    case Value::SCALAR:
      if (!resource.has_scalar() || resource.has_ranges() || resource.has_set()) {
        return "Invalid scalar resource";
      }
      if (!std::isfinite(resource.scalar().value()) || resource.scalar().value() < 0) {
        return "Invalid scalar resource: value <= 0";
      }
      break;
    case Value::RANGES:
      if (resource.has_scalar() || !resource.has_ranges() || resource.has_set()) {
        return "Invalid ranges resource";
      }
      if (Objection objection = ValidateRanges(resource.ranges())) return objection;
      break;
    case Value::SET: {
      if (resource.has_scalar() || resource.has_ranges() || !resource.has_set()) {
        return "Invalid set resource";
      }
      std::set<std::string> items;
      for (const std::string& item : resource.set().item()) {
        if (!items.insert(item).second) return "Invalid set resource: duplicated elements";
      }
      break;
    }
    case Value::TEXT:
      return "Unsupported resource type";
  }
  if (resource.has_disk() && resource.name() != "disk") {
    return fmt::format("DiskInfo should not be set for {} resource", resource.name());
  }
  if (resource.reservations_size() > 0 && (resource.has_role() || resource.has_reservation())) {
    return "'Resource.role' and 'Resource.reservation' must not be set with "
           "'Resource.reservations'";
  }
  if (resource.has_reservation() && resource.role() == "*") {
    return "Invalid reservation: role \"*\" cannot be dynamically reserved";
  }
  for (const auto& reservation : resource.reservations()) {
    if (!reservation.has_type()) return "Invalid reservation: type has not been set";
    if (reservation.type() == Resource::ReservationInfo::UNKNOWN) {
      return "Invalid reservation: 'UNKNOWN' is not a valid reservation type";
    }
    if (!reservation.has_role()) return "Invalid reservation: role has not been set";
    if (Objection objection = ValidateRole(reservation.role())) return objection;
  }
  if (Objection objection = ValidateRole(resource.role())) return objection;
  return std::nullopt;
}

Objection ValidateAndUpgrade(Offer::Operation* operation) {
  auto absent = [&](const char* field) {
    return fmt::format("A {} offer operation must have the Offer.Operation.{} field set.",
                       Offer::Operation::Type_Name(operation->type()), field);
  };
  switch (operation->type()) {
    case Offer::Operation::LAUNCH:
      if (!operation->has_launch()) return absent("launch");
      for (TaskInfo& task : *operation->mutable_launch()->mutable_task_infos()) {
        if (Objection objection = ValidateAndUpgrade(&task)) return objection;
      }
      return std::nullopt;
    case Offer::Operation::LAUNCH_GROUP: {
      if (!operation->has_launch_group()) return absent("launch_group");
      auto* launch = operation->mutable_launch_group();
      if (auto objection = ValidateAndUpgrade(launch->mutable_executor()->mutable_resources())) {
        return objection;
      }
      for (TaskInfo& task : *launch->mutable_task_group()->mutable_tasks()) {
        if (Objection objection = ValidateAndUpgrade(&task)) return objection;
      }
      return std::nullopt;
    }
    case Offer::Operation::RESERVE:
      if (!operation->has_reserve()) return absent("reserve");
      if (auto objection = ValidateAndUpgrade(operation->mutable_reserve()->mutable_source())) {
        return objection;
      }
      return ValidateAndUpgrade(operation->mutable_reserve()->mutable_resources());
    case Offer::Operation::UNRESERVE:
      if (!operation->has_unreserve()) return absent("unreserve");
      return ValidateAndUpgrade(operation->mutable_unreserve()->mutable_resources());
    case Offer::Operation::CREATE:
      if (!operation->has_create()) return absent("create");
      return ValidateAndUpgrade(operation->mutable_create()->mutable_volumes());
    case Offer::Operation::DESTROY:
      if (!operation->has_destroy()) return absent("destroy");
      return ValidateAndUpgrade(operation->mutable_destroy()->mutable_volumes());
    case Offer::Operation::GROW_VOLUME:
      if (!operation->has_grow_volume()) return absent("grow_volume");
      if (auto objection = ValidateAndUpgrade(operation->mutable_grow_volume()->mutable_volume())) {
        return objection;
      }
      return ValidateAndUpgrade(operation->mutable_grow_volume()->mutable_addition());
    case Offer::Operation::SHRINK_VOLUME:
      if (!operation->has_shrink_volume()) return absent("shrink_volume");
      return ValidateAndUpgrade(operation->mutable_shrink_volume()->mutable_volume());
    case Offer::Operation::CREATE_DISK:
      if (!operation->has_create_disk()) return absent("create_disk");
      return std::nullopt;
    case Offer::Operation::DESTROY_DISK:
      if (!operation->has_destroy_disk()) return absent("destroy_disk");
      return std::nullopt;
    case Offer::Operation::UNKNOWN:
      return "Unknown offer operation";
  }
  return "Unknown offer operation";
}

Objection ValidateTask(const TaskInfo& task, const TaskContext& context) {
  if (Objection objection = ValidateTaskAlone(task, context)) return objection;
  if (task.has_executor() == task.has_command()) {
    return "Task should have at least one (but not both) of CommandInfo or ExecutorInfo present";
  }
  Resources total(task.resources());
  if (task.has_executor()) {
    if (Objection objection = ValidateExecutor(task.executor(), context)) return objection;
    if (task.executor().has_type() && task.executor().type() != ExecutorInfo::CUSTOM) {
      return "'ExecutorInfo.type' must be 'CUSTOM'";
    }
    if (!task.executor().has_command()) return "'ExecutorInfo.command' must be set";
    if (auto objection = ValidateNoOverlap(task.resources(), task.executor().resources())) {
      return objection;
    }
    ResourceList both = task.resources();
    both.MergeFrom(task.executor().resources());
    if (auto objection = ValidateOneKind(both, "Task and its executor mix")) return objection;
    if (!context.known_executor) total += Resources(task.executor().resources());
  }
  if (!context.available->Contains(total)) {
    return fmt::format(
        "Total resources {} required by task and its executor is more than available {}",
        ToText(total), ToText(*context.available));
  }
  return std::nullopt;
}

Objection ValidateTaskGroup(const Offer::Operation::LaunchGroup& launch, const TaskContext& context,
                            const std::function<bool(const std::string&)>& duplicate) {
  if (Objection objection = ValidateGroupTasks(launch, context, duplicate)) return objection;
  if (Objection objection = ValidateGroupExecutor(launch, context)) return objection;
  if (Objection objection = ValidateGroupResources(launch)) return objection;
  Resources total;
  if (!context.known_executor) total += Resources(launch.executor().resources());
  for (const TaskInfo& task : launch.task_group().tasks()) total += Resources(task.resources());
  if (!context.available->Contains(total)) {
    return fmt::format(
        "Total resources {} required by task group and its executor are more than available {}",
        ToText(total), ToText(*context.available));
  }
  return ValidateShareCgroups(launch, context.share_cgroups);
}

}  // namespace kiln::local
