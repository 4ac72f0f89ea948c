#include "local/cluster/check_validation.h"

#include <fmt/format.h>

namespace kiln::local {

using mesos::v1::CheckInfo;
using mesos::v1::CommandInfo;
using mesos::v1::ContainerInfo;
using mesos::v1::Environment;
using mesos::v1::HealthCheck;

namespace {

Objection ValidateEnvironment(const Environment& environment) {
  for (const auto& variable : environment.variables()) {
    const bool secret = variable.type() == Environment::Variable::SECRET;
    if (variable.type() == Environment::Variable::UNKNOWN) {
      return fmt::format("Environment variable '{}' has an unknown type", variable.name());
    }
    const char* type = secret ? "SECRET" : "VALUE";
    if (secret ? !variable.has_secret() : !variable.has_value()) {
      return fmt::format("Environment variable '{}' of type '{}' must have a {} set",
                         variable.name(), type, secret ? "secret" : "value");
    }
    if (secret ? variable.has_value() : variable.has_secret()) {
      return fmt::format("Environment variable '{}' of type '{}' must not have a {} set",
                         variable.name(), type, secret ? "value" : "secret");
    }
  }
  return std::nullopt;
}

// A command that a check runs; `what` is "Command check" or "Command health check".
Objection ValidateCheckCommand(const CommandInfo& command, const char* what) {
  if (!command.has_value()) {
    return fmt::format("{} must contain '{}'", what,
                       command.shell() ? "shell command" : "executable path");
  }
  return ValidateCommand(command);
}

Objection NotSet(const char* field, const char* type, const char* what) {
  return fmt::format("Expecting '{}' to be set for {} {}", field, type, what);
}

Objection ValidatePath(const std::string& path, const char* what) {
  if (path.empty() || path.front() == '/') return std::nullopt;
  return fmt::format("The path '{}' of HTTP {} must start with '/'", path, what);
}

Objection Negative(const char* field) {
  return fmt::format("Expecting '{}' to be non-negative", field);
}

}  // namespace

Objection ValidateCheck(const CheckInfo& check) {
  if (!check.has_type()) return "CheckInfo must specify 'type'";
  switch (check.type()) {
    case CheckInfo::UNKNOWN:
      return "'UNKNOWN' is not a valid check type";
    case CheckInfo::COMMAND:
      if (!check.has_command()) return NotSet("command", "COMMAND", "check");
      if (Objection objection = ValidateCheckCommand(check.command().command(), "Command check")) {
        return objection;
      }
      break;
    case CheckInfo::HTTP:
      if (!check.has_http()) return NotSet("http", "HTTP", "check");
      if (Objection objection = ValidatePath(check.http().path(), "check")) return objection;
      break;
    case CheckInfo::TCP:
      if (!check.has_tcp()) return NotSet("tcp", "TCP", "check");
      break;
  }
  if (check.delay_seconds() < 0) return Negative("delay_seconds");
  if (check.interval_seconds() < 0) return Negative("interval_seconds");
  if (check.timeout_seconds() < 0) return Negative("timeout_seconds");
  return std::nullopt;
}

Objection ValidateHealthCheck(const HealthCheck& check) {
  if (!check.has_type()) return "HealthCheck must specify 'type'";
  switch (check.type()) {
    case HealthCheck::UNKNOWN:
      return "'UNKNOWN' is not a valid health check type";
    case HealthCheck::COMMAND:
      if (!check.has_command()) return NotSet("command", "COMMAND", "health check");
      if (Objection objection = ValidateCheckCommand(check.command(), "Command health check")) {
        return objection;
      }
      break;
    case HealthCheck::HTTP:
      if (!check.has_http()) return NotSet("http", "HTTP", "health check");
      if (Objection objection = ValidatePath(check.http().path(), "health check")) {
        return objection;
      }
      break;
    case HealthCheck::TCP:
      if (!check.has_tcp()) return NotSet("tcp", "TCP", "health check");
      break;
  }
  if (check.delay_seconds() < 0) return Negative("delay_seconds");
  if (check.grace_period_seconds() < 0) return Negative("grace_period_seconds");
  if (check.interval_seconds() < 0) return Negative("interval_seconds");
  if (check.timeout_seconds() < 0) return Negative("timeout_seconds");
  return std::nullopt;
}

Objection ValidateCommand(const CommandInfo& command) {
  return ValidateEnvironment(command.environment());
}

Objection ValidateContainer(const ContainerInfo& container) {
  for (const auto& volume : container.volumes()) {
    if (volume.has_host_path() + volume.has_image() + volume.has_source() != 1) {
      return "Invalid volume: Only one of them should be set: 'host_path', 'image' and 'source'";
    }
  }
  if (container.type() == ContainerInfo::DOCKER) {
    if (!container.has_docker())
      return "DockerInfo 'docker' is not set for DOCKER typed ContainerInfo";
    for (const auto& parameter : container.docker().parameters()) {
      if (parameter.key() == "name") return "Parameter in DockerInfo must not be 'name'";
    }
  }
  return std::nullopt;
}

}  // namespace kiln::local
