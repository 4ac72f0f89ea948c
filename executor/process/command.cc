#include "executor/process/command.h"

#include <unistd.h>

namespace kiln::executor {

std::map<std::string, std::string> OwnEnvironment() {
  std::map<std::string, std::string> environment;
  for (char** each = environ; *each != nullptr; ++each) {
    std::string_view line = *each;
    size_t equals = line.find('=');
    if (equals == std::string_view::npos) continue;
    environment.emplace(line.substr(0, equals), line.substr(equals + 1));
  }
  environment.erase("MESOS_EXECUTOR_AUTHENTICATION_TOKEN");
  environment.emplace("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
  return environment;
}

ProcessSpec SpecOf(const mesos::v1::CommandInfo& command, const Surroundings& surroundings) {
  ProcessSpec spec;
  if (command.shell()) {
    SetShellLine(spec, command.value());
  } else {
    spec.program = command.value();
    spec.argv.assign(command.arguments().begin(), command.arguments().end());
    if (spec.argv.empty()) spec.argv.push_back(command.value());
  }
  spec.environment = surroundings.environment;
  for (const auto& variable : command.environment().variables()) {
    spec.environment[variable.name()] = variable.value();
  }
  spec.directory = surroundings.sandbox;
  if (geteuid() == 0) spec.user = command.user();
  return spec;
}

}  // namespace kiln::executor
