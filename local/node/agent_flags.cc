#include "local/node/agent_flags.h"

#include <algorithm>
#include <charconv>
#include <functional>
#include <iterator>

#include "base/file.h"
#include "local/cluster/resources.h"
#include "local/node/master_flags.h"
#include "wire/rest/json.h"

namespace kiln::local {
namespace {

// What a Mesos agent shows of flags that nobody set. An agent of Kiln knows what the others are,
// but has no use for them.
constexpr std::pair<const char*, const char*> kDefaults[] = {
    {"appc_simple_discovery_uri_prefix", "http://"},
    {"appc_store_dir", "/tmp/mesos/store/appc"},
    {"authenticate_http_executors", "false"},
    {"authenticate_http_readonly", "false"},
    {"authenticate_http_readwrite", "false"},
    {"authenticatee", "crammd5"},
    {"authentication_backoff_factor", "1secs"},
    {"authentication_timeout_max", "1mins"},
    {"authentication_timeout_min", "5secs"},
    {"authorizer", "local"},
    {"cgroups_cpu_enable_pids_and_tids_count", "false"},
    {"cgroups_destroy_timeout", "1mins"},
    {"cgroups_enable_cfs", "false"},
    {"cgroups_hierarchy", "/sys/fs/cgroup"},
    {"cgroups_limit_swap", "false"},
    {"cgroups_root", "mesos"},
    {"container_disk_watch_interval", "15secs"},
    {"containerizers", "mesos"},
    {"default_role", "*"},
    {"disallow_sharing_agent_ipc_namespace", "false"},
    {"disallow_sharing_agent_pid_namespace", "false"},
    {"disk_watch_interval", "1mins"},
    {"docker", "docker"},
    {"docker_ignore_runtime", "false"},
    {"docker_kill_orphans", "true"},
    {"docker_registry", "https://registry-1.docker.io"},
    {"docker_remove_delay", "6hrs"},
    {"docker_socket", "/var/run/docker.sock"},
    {"docker_stop_timeout", "0ns"},
    {"docker_store_dir", "/tmp/mesos/store/docker"},
    {"docker_volume_checkpoint_dir", "/var/run/mesos/isolators/docker/volume"},
    {"docker_volume_chown", "false"},
    {"enforce_container_disk_quota", "false"},
    {"executor_registration_timeout", "1mins"},
    {"executor_reregistration_timeout", "2secs"},
    {"executor_shutdown_grace_period", "5secs"},
    {"fetcher_cache_dir", "/tmp/mesos/fetch"},
    {"fetcher_cache_size", "2GB"},
    {"fetcher_stall_timeout", "1mins"},
    {"frameworks_home", ""},
    {"gc_delay", "1weeks"},
    {"gc_disk_headroom", "0.1"},
    {"gc_non_executor_container_sandboxes", "false"},
    {"help", "false"},
    {"hostname_lookup", "true"},
    {"http_command_executor", "false"},
    {"http_executor_domain_sockets", "false"},
    {"http_heartbeat_interval", "30secs"},
    {"initialize_driver_logging", "true"},
    {"isolation", "posix/cpu,posix/mem"},
    {"launcher", "posix"},
    {"logbufsecs", "0"},
    {"logging_level", "INFO"},
    {"max_completed_executors_per_framework", "150"},
    {"memory_profiling", "false"},
    {"network_cni_metrics", "true"},
    {"network_cni_root_dir_persist", "false"},
    {"oversubscribed_resources_interval", "15secs"},
    {"perf_duration", "10secs"},
    {"perf_interval", "1mins"},
    {"qos_correction_interval_min", "0ns"},
    {"quiet", "false"},
    {"reconfiguration_policy", "equal"},
    {"recover", "reconnect"},
    {"recovery_timeout", "15mins"},
    {"registration_backoff_factor", "1secs"},
    {"revocable_cpu_low_priority", "true"},
    {"sandbox_directory", "/mnt/mesos/sandbox"},
    {"strict", "true"},
    {"switch_user", "true"},
    {"systemd_enable_support", "true"},
    {"systemd_runtime_directory", "/run/systemd/system"},
    {"version", "false"},
    {"zk_session_timeout", "10secs"}};

// Flags without a default.
constexpr const char* kOthers[] = {"acls",
                                   "attributes",
                                   "credential",
                                   "executor_environment_variables",
                                   "hostname",
                                   "http_authenticators",
                                   "http_credentials",
                                   "ip",
                                   "jwt_secret_key",
                                   "launcher_dir",
                                   "master",
                                   "max_completed_frameworks",
                                   "modules",
                                   "port",
                                   "resources",
                                   "runtime_dir",
                                   "work_dir"};

Result<bool> ParseBool(const std::string& name, const std::string& value) {
  if (value == "true" || value == "1" || value.empty()) return true;
  if (value == "false" || value == "0") return false;
  return Fail(ErrorCode::kInvalidArgument, "flag --{}: found {}, expected true or false", name,
              value);
}

// {"NAME": "value"}
Result<std::map<std::string, std::string>> ParseVariables(const std::string& text) {
  std::map<std::string, std::string> variables;
  const auto json = wire::ParseJson(text);
  if (!json || !json->is_object()) {
    return Fail(ErrorCode::kInvalidArgument,
                "flag --executor_environment_variables: found {}, expected a JSON object", text);
  }
  for (const auto& [name, value] : json->items()) {
    if (value.is_string()) variables[name] = value.get<std::string>();
  }
  return variables;
}

Status SetFlag(AgentFlags& flags, const std::string& name, const std::string& value) {
  const std::map<std::string, Duration*> durations = {
      {"registration_backoff_factor", &flags.registration_backoff_factor},
      {"executor_registration_timeout", &flags.executor_registration_timeout},
      {"executor_reregistration_timeout", &flags.executor_reregistration_timeout},
      {"executor_shutdown_grace_period", &flags.executor_shutdown_grace_period},
      {"recovery_timeout", &flags.recovery_timeout}};
  if (auto found = durations.find(name); found != durations.end()) {
    KILN_TRY(*found->second, ParseDuration(value));
    return {};
  }
  const std::map<std::string, bool*> switches = {
      {"switch_user", &flags.switch_user},
      {"cgroups_enable_cfs", &flags.cgroups_enable_cfs},
      {"authenticate_http_executors", &flags.authenticate_http_executors}};
  if (auto found = switches.find(name); found != switches.end()) {
    KILN_TRY(*found->second, ParseBool(name, value));
    return {};
  }
  if (name == "hostname") flags.hostname = value;
  if (name == "launcher_dir") flags.launcher_dir = value;
  if (name == "isolation") flags.cgroups = value.find("cgroups/") != std::string::npos;
  if (name == "resources") {
    KILN_TRY(flags.resources, ParseResources(value));
  }
  if (name == "attributes") {
    KILN_TRY(flags.attributes, ParseAttributes(value));
  }
  if (name == "executor_environment_variables") {
    KILN_TRY(flags.executor_environment, ParseVariables(value));
  }
  if (name == "jwt_secret_key") {
    KILN_TRY(flags.jwt_secret, ReadFile(value.starts_with("file://") ? value.substr(7) : value));
  }
  if (name.starts_with("authenticate_http_read") && value != "false") {
    return Fail(ErrorCode::kUnimplemented,
                "agent flag --{}: only the master authenticates operators", name);
  }
  return {};
}

}  // namespace

Result<AgentFlags> ParseAgentFlags(const std::vector<std::string>& flags) {
  AgentFlags parsed;
  parsed.texts.insert(std::begin(kDefaults), std::end(kDefaults));
  KILN_TRY(const auto values, SplitFlags(flags));
  for (const auto& [name, value] : values) {
    if (!parsed.texts.contains(name) &&
        std::find(std::begin(kOthers), std::end(kOthers), name) == std::end(kOthers)) {
      return Fail(ErrorCode::kInvalidArgument, "agent flag --{} is not known", name);
    }
    KILN_TRY_OK(SetFlag(parsed, name, value));
    parsed.texts[name] = value;
  }
  if (parsed.authenticate_http_executors && !parsed.jwt_secret) {
    return Fail(ErrorCode::kInvalidArgument,
                "flag --authenticate_http_executors is set without --jwt_secret_key");
  }
  return parsed;
}

Result<Duration> ParseDuration(std::string_view text) {
  static const std::map<std::string, double, std::less<>> kUnits = {
      {"ns", 1},      {"us", 1e3},     {"ms", 1e6},       {"secs", 1e9},
      {"mins", 6e10}, {"hrs", 3.6e12}, {"days", 8.64e13}, {"weeks", 6.048e14}};
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const auto unit = kUnits.find(text.substr(static_cast<size_t>(end - text.data())));
  if (error != std::errc() || unit == kUnits.end()) {
    return Fail(ErrorCode::kInvalidArgument, "duration: found {}, expected a form like 10secs",
                text);
  }
  return Duration(static_cast<int64_t>(number * unit->second));
}

}  // namespace kiln::local
