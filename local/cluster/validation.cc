#include "local/cluster/validation.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <iterator>

namespace kiln::local {

using mesos::v1::FrameworkInfo;
namespace scheduler = mesos::v1::scheduler;
namespace master = mesos::v1::master;

namespace {

Objection Absent(bool present, const char* field) {
  if (present) return std::nullopt;
  return fmt::format("Expecting '{}' to be present", field);
}

// Sixteen bytes with the version nibble of RFC 4122.
Objection ValidateUuid(const std::string& bytes) {
  if (bytes.size() != 16) return "Not a valid UUID";
  const int version = static_cast<unsigned char>(bytes[6]) >> 4;
  if (version < 1 || version > 5) return "Not a valid UUID";
  return std::nullopt;
}

Objection ValidateSubscribe(const scheduler::Call& call,
                            const std::optional<std::string>& principal) {
  if (!call.has_subscribe()) return Absent(false, "subscribe");
  const FrameworkInfo& info = call.subscribe().framework_info();
  if (info.id().value() != call.framework_id().value()) {
    return "'framework_id' differs from 'subscribe.framework_info.id'";
  }
  if (principal && info.has_principal() && *principal != info.principal()) {
    return fmt::format(
        "Authenticated principal '{}' does not match principal '{}' set in `FrameworkInfo`",
        *principal, info.principal());
  }
  return std::nullopt;
}

Objection ValidateRoles(const FrameworkInfo& info) {
  if (!HasCapability(info, FrameworkInfo::Capability::MULTI_ROLE)) {
    if (info.roles_size() > 0) {
      return "'FrameworkInfo.roles' must not be set when the framework is not MULTI_ROLE capable";
    }
    if (Objection objection = ValidateRole(info.role())) {
      return "'FrameworkInfo.role' is not a valid role: " + *objection;
    }
    return std::nullopt;
  }
  if (info.has_role()) {
    return "'FrameworkInfo.role' must not be set when the framework is MULTI_ROLE capable";
  }
  std::set<std::string> seen;
  std::set<std::string> twice;
  for (const std::string& role : info.roles()) {
    if (!seen.insert(role).second) twice.insert(role);
  }
  if (!twice.empty()) {
    return fmt::format("'FrameworkInfo.roles' contains duplicate items: {{ {} }}",
                       fmt::join(twice, ", "));
  }
  for (const std::string& role : info.roles()) {
    if (Objection objection = ValidateRole(role)) {
      return "'FrameworkInfo.roles' contains invalid role: " + *objection;
    }
  }
  return std::nullopt;
}

Objection ValidateOfferFilters(const FrameworkInfo& info) {
  for (const auto& [role, filters] : info.offer_filters()) {
    for (const auto& quantities : filters.min_allocatable_resources().quantities()) {
      if (quantities.quantities().empty()) {
        return "Resource quantities must contain at least one quantity";
      }
      for (const auto& [name, scalar] : quantities.quantities()) {
        const char* fault = std::isnan(scalar.value())   ? "NaN values not supported"
                            : std::isinf(scalar.value()) ? "Infinite values not supported"
                            : scalar.value() < 0         ? "Negative values not supported"
                                                         : nullptr;
        if (fault) return fmt::format("Invalid resource quantity for '{}': {}", name, fault);
      }
    }
  }
  return std::nullopt;
}

Objection ValidateFailoverTimeout(double seconds) {
  const double limit = 9223372036.854775807;  // int64 nanoseconds
  if (std::isnan(seconds) || std::abs(seconds) > limit) {
    return fmt::format("The framework failover_timeout ({:g}) is invalid", seconds);
  }
  return std::nullopt;
}

}  // namespace

Objection ValidateCall(const scheduler::Call& call, const std::optional<std::string>& principal) {
  using Call = scheduler::Call;
  if (!call.has_type()) return Absent(false, "type");
  if (call.type() == Call::SUBSCRIBE) return ValidateSubscribe(call, principal);
  if (!call.has_framework_id()) return Absent(false, "framework_id");
  switch (call.type()) {
    case Call::UNKNOWN:
    case Call::SUBSCRIBE:
    case Call::TEARDOWN:
    case Call::REVIVE:
    case Call::SUPPRESS:
      return std::nullopt;
    case Call::ACCEPT:
      return Absent(call.has_accept(), "accept");
    case Call::DECLINE:
      return Absent(call.has_decline(), "decline");
    case Call::KILL:
      return Absent(call.has_kill(), "kill");
    case Call::SHUTDOWN:
      return Absent(call.has_shutdown(), "shutdown");
    case Call::ACKNOWLEDGE:
      if (!call.has_acknowledge()) return Absent(false, "acknowledge");
      return ValidateUuid(call.acknowledge().uuid());
    case Call::RECONCILE:
      return Absent(call.has_reconcile(), "reconcile");
    case Call::MESSAGE:
      return Absent(call.has_message(), "message");
    case Call::REQUEST:
      return Absent(call.has_request(), "request");
    case Call::ACCEPT_INVERSE_OFFERS:
      return Absent(call.has_accept_inverse_offers(), "accept_inverse_offers");
    case Call::DECLINE_INVERSE_OFFERS:
      return Absent(call.has_decline_inverse_offers(), "decline_inverse_offers");
    case Call::ACKNOWLEDGE_OPERATION_STATUS:
      if (!call.has_acknowledge_operation_status()) {
        return Absent(false, "acknowledge_operation_status");
      }
      if (Objection objection = ValidateUuid(call.acknowledge_operation_status().uuid())) {
        return objection;
      }
      return Absent(call.acknowledge_operation_status().has_agent_id(), "agent_id");
    case Call::RECONCILE_OPERATIONS:
      return Absent(call.has_reconcile_operations(), "reconcile_operations");
    case Call::UPDATE_FRAMEWORK:
      if (!call.has_update_framework()) return Absent(false, "update_framework");
      if (call.update_framework().framework_info().id().value() != call.framework_id().value()) {
        return "'framework_id' differs from 'update_framework.framework_info.id'";
      }
      return std::nullopt;
  }
  return std::nullopt;
}

Objection ValidateCall(const master::Call& call) {
  using Call = master::Call;
  if (!call.has_type()) return Absent(false, "type");
  switch (call.type()) {
    case Call::UNKNOWN:
    case Call::GET_HEALTH:
    case Call::GET_FLAGS:
    case Call::GET_VERSION:
    case Call::GET_LOGGING_LEVEL:
    case Call::GET_STATE:
    case Call::GET_AGENTS:
    case Call::GET_FRAMEWORKS:
    case Call::GET_EXECUTORS:
    case Call::GET_TASKS:
    case Call::GET_ROLES:
    case Call::GET_WEIGHTS:
    case Call::GET_MASTER:
    case Call::SUBSCRIBE:
    case Call::GET_MAINTENANCE_STATUS:
    case Call::GET_MAINTENANCE_SCHEDULE:
    case Call::GET_QUOTA:
    case Call::GET_OPERATIONS:
      return std::nullopt;
    case Call::GET_METRICS:
      return Absent(call.has_get_metrics(), "get_metrics");
    case Call::SET_LOGGING_LEVEL:
      return Absent(call.has_set_logging_level(), "set_logging_level");
    case Call::LIST_FILES:
      return Absent(call.has_list_files(), "list_files");
    case Call::READ_FILE:
      return Absent(call.has_read_file(), "read_file");
    case Call::UPDATE_WEIGHTS:
      return Absent(call.has_update_weights(), "update_weights");
    case Call::RESERVE_RESOURCES:
      return Absent(call.has_reserve_resources(), "reserve_resources");
    case Call::UNRESERVE_RESOURCES:
      return Absent(call.has_unreserve_resources(), "unreserve_resources");
    case Call::CREATE_VOLUMES:
      return Absent(call.has_create_volumes(), "create_volumes");
    case Call::DESTROY_VOLUMES:
      return Absent(call.has_destroy_volumes(), "destroy_volumes");
    case Call::UPDATE_MAINTENANCE_SCHEDULE:
      return Absent(call.has_update_maintenance_schedule(), "update_maintenance_schedule");
    case Call::START_MAINTENANCE:
      return Absent(call.has_start_maintenance(), "start_maintenance");
    case Call::STOP_MAINTENANCE:
      return Absent(call.has_stop_maintenance(), "stop_maintenance");
    case Call::SET_QUOTA:
      return Absent(call.has_set_quota(), "set_quota");
    case Call::REMOVE_QUOTA:
      return Absent(call.has_remove_quota(), "remove_quota");
    case Call::TEARDOWN:
      return Absent(call.has_teardown(), "teardown");
    case Call::MARK_AGENT_GONE:
      return Absent(call.has_mark_agent_gone(), "mark_agent_gone");
    case Call::GROW_VOLUME:
      return Absent(call.has_grow_volume(), "grow_volume");
    case Call::SHRINK_VOLUME:
      return Absent(call.has_shrink_volume(), "shrink_volume");
    case Call::UPDATE_QUOTA:
      return Absent(call.has_update_quota(), "update_quota");
    case Call::DRAIN_AGENT:
      return Absent(call.has_drain_agent(), "drain_agent");
    case Call::DEACTIVATE_AGENT:
      return Absent(call.has_deactivate_agent(), "deactivate_agent");
    case Call::REACTIVATE_AGENT:
      return Absent(call.has_reactivate_agent(), "reactivate_agent");
  }
  return std::nullopt;
}

Objection ValidateFramework(const FrameworkInfo& info) {
  if (Objection objection = ValidateRoles(info)) return objection;
  if (!info.id().value().empty()) {
    if (Objection objection = ValidateId(info.id().value())) return objection;
  }
  if (Objection objection = ValidateOfferFilters(info)) return objection;
  return ValidateFailoverTimeout(info.failover_timeout());
}

Objection ValidateFrameworkChange(const FrameworkInfo& old_info, const FrameworkInfo& new_info,
                                  bool update) {
  if (old_info.has_principal() != new_info.has_principal() ||
      old_info.principal() != new_info.principal()) {
    return "Changing framework's principal is not allowed.";
  }
  if (!update) return std::nullopt;
  if (old_info.user() != new_info.user()) {
    return fmt::format(
        "Updating 'FrameworkInfo.user' is unsupported; attempted to update from '{}' to '{}'",
        old_info.user(), new_info.user());
  }
  if (old_info.checkpoint() != new_info.checkpoint()) {
    return fmt::format(
        "Updating 'FrameworkInfo.checkpoint' is unsupported; attempted to update from '{}' to "
        "'{}'",
        old_info.checkpoint(), new_info.checkpoint());
  }
  return std::nullopt;
}

Objection ValidateSuppressedRoles(const std::set<std::string>& roles,
                                  const std::set<std::string>& suppressed) {
  std::vector<std::string> foreign;
  std::set_difference(suppressed.begin(), suppressed.end(), roles.begin(), roles.end(),
                      std::back_inserter(foreign));
  if (foreign.empty()) return std::nullopt;
  return fmt::format("Suppressed roles {{ {} }} are not contained in the set of roles",
                     fmt::join(foreign, ", "));
}

Objection ValidateRole(const std::string& role) {
  if (role == "*") return std::nullopt;
  if (role.empty()) return "Role names cannot be the empty string";
  if (role.front() == '/') return fmt::format("Role '{}' cannot start with a slash", role);
  if (role.back() == '/') return fmt::format("Role '{}' cannot end with a slash", role);
  if (role.find("//") != std::string::npos) {
    return fmt::format("Role '{}' cannot contain two adjacent slashes", role);
  }
  for (size_t begin = 0; begin < role.size();) {
    size_t end = std::min(role.find('/', begin), role.size());
    const std::string part = role.substr(begin, end - begin);
    begin = end + 1;
    if (part == "." || part == ".." || part == "*") {
      return fmt::format("Role '{}' cannot include '{}' as a component", role, part);
    }
    if (part.front() == '-') {
      return fmt::format("Role component '{}' is invalid because it starts with a dash", part);
    }
    if (part.find_first_of("\t\n\v\f\r \x7f") != std::string::npos) {
      return fmt::format(
          "Role component '{}' is invalid because it contains backspace or whitespace", part);
    }
  }
  return std::nullopt;
}

Objection ValidateId(const std::string& id) {
  if (id.empty()) return "ID must not be empty";
  if (id.size() > 255) return "ID must not be greater than 255 characters";
  if (id == "." || id == "..") return fmt::format("'{}' is disallowed", id);
  auto invalid = [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f || c == '/' || c == '\\';
  };
  if (std::any_of(id.begin(), id.end(), invalid)) {
    return fmt::format("'{}' contains invalid characters", id);
  }
  return std::nullopt;
}

bool HasCapability(const FrameworkInfo& info, FrameworkInfo::Capability::Type type) {
  return std::any_of(info.capabilities().begin(), info.capabilities().end(),
                     [&](const auto& capability) { return capability.type() == type; });
}

std::set<std::string> RolesOf(const FrameworkInfo& info) {
  if (HasCapability(info, FrameworkInfo::Capability::MULTI_ROLE)) {
    return {info.roles().begin(), info.roles().end()};
  }
  return {info.role()};
}

}  // namespace kiln::local
