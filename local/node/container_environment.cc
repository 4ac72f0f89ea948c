#include "local/node/container_environment.h"

#include <map>

#include "local/cluster/agent_state.h"

namespace kiln::local {

std::vector<std::string> ExecutorEnvironment(const EnvironmentSource& source) {
  const LaunchContainer& launch = *source.launch;
  const auto& executor = launch.executor;
  const Duration grace = executor.has_shutdown_grace_period()
                             ? Duration(executor.shutdown_grace_period().nanoseconds())
                             : source.shutdown_grace_period;
  std::map<std::string, std::string> all = {
      {"LIBPROCESS_IP", source.ip},
      {"LIBPROCESS_PORT", "0"},
      {"MESOS_AGENT_ENDPOINT", source.endpoint},
      {"MESOS_CHECKPOINT", launch.framework.checkpoint() ? "1" : "0"},
      {"MESOS_DIRECTORY", source.sandbox},
      {"MESOS_EXECUTOR_ID", launch.key.executor_id},
      {"MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD", DurationText(grace)},
      {"MESOS_FRAMEWORK_ID", launch.key.framework_id},
      {"MESOS_HTTP_COMMAND_EXECUTOR", "0"},
      {"MESOS_SANDBOX", source.sandbox},
      {"MESOS_SLAVE_ID", source.agent_id},
      {"MESOS_SLAVE_PID", source.agent_pid},
      {"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}};
  all.insert(source.more.begin(), source.more.end());
  if (launch.framework.checkpoint()) {
    all["MESOS_RECOVERY_TIMEOUT"] = DurationText(source.recovery_timeout);
    all["MESOS_SUBSCRIPTION_BACKOFF_MAX"] = DurationText(source.subscription_backoff_max);
  }
  if (!source.token.empty()) all["MESOS_EXECUTOR_AUTHENTICATION_TOKEN"] = source.token;
  for (const auto& variable : executor.command().environment().variables()) {
    all[variable.name()] = variable.type() == mesos::v1::Environment::Variable::SECRET
                               ? variable.secret().value().data()
                               : variable.value();
  }
  std::vector<std::string> lines;
  for (const auto& [name, value] : all) lines.push_back(name + "=" + value);
  return lines;
}

}  // namespace kiln::local
