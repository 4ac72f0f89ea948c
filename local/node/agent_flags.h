// The flags of an agent, in the form of a Mesos agent: "--hostname=agent1", "--switch_user=false",
// "--no-switch_user".
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "proto/mesos/v1/mesos.pb.h"

namespace kiln::local {

struct AgentFlags {
  std::string hostname = "localhost";
  std::vector<mesos::v1::Resource> resources;
  std::vector<mesos::v1::Attribute> attributes;
  Duration registration_backoff_factor = std::chrono::seconds(1);
  Duration executor_registration_timeout = std::chrono::minutes(1);
  Duration executor_reregistration_timeout = std::chrono::seconds(2);
  Duration executor_shutdown_grace_period = std::chrono::seconds(5);
  Duration recovery_timeout = std::chrono::minutes(15);
  bool switch_user = true;
  bool cgroups = false;                   // --isolation names a cgroups isolator
  bool cgroups_enable_cfs = false;        // processor shares are hard limits
  std::optional<std::string> jwt_secret;  // content of --jwt_secret_key
  bool authenticate_http_executors = false;
  std::map<std::string, std::string> executor_environment;  // --executor_environment_variables
  std::string launcher_dir;  // where kiln-executor is; empty: beside this program

  // Every flag of a Mesos agent with its value as text, for /flags.
  std::map<std::string, std::string> texts;
};

// Flags that mean nothing here are kept as texts only. kInvalidArgument names an unknown flag or a
// wrong value.
Result<AgentFlags> ParseAgentFlags(const std::vector<std::string>& flags);

// "5secs", "1.5mins".
Result<Duration> ParseDuration(std::string_view text);

}  // namespace kiln::local
