// The environment that an agent gives to an executor.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "local/cluster/agent_values.h"

namespace kiln::local {

struct EnvironmentSource {
  const LaunchContainer* launch;
  std::string sandbox;
  std::string agent_id;
  std::string agent_pid;  // "slave(1)@127.0.0.1:5051"
  std::string endpoint;   // "127.0.0.1:5051"
  std::string ip;
  std::string token;  // empty: none
  Duration shutdown_grace_period{};
  Duration recovery_timeout{};
  Duration subscription_backoff_max{};
  std::map<std::string, std::string> more = {};  // what an operator gives to all executors
};

// "NAME=value", as a Mesos agent sets them; the command's own variables win.
std::vector<std::string> ExecutorEnvironment(const EnvironmentSource& source);

}  // namespace kiln::local
