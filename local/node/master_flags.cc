#include "local/node/master_flags.h"

#include <fstream>
#include <sstream>

#include "local/node/agent_flags.h"
#include "wire/rest/json.h"

namespace kiln::local {

using wire::Json;

namespace {

// What a master with no flags says of itself.
std::map<std::string, std::string> Defaults() {
  return {{"agent_ping_timeout", "15secs"},
          {"agent_reregister_timeout", "10mins"},
          {"allocation_interval", "1secs"},
          {"allocator", "hierarchical"},
          {"allocator_agent_recovery_factor", "0.8"},
          {"allocator_recovery_timeout", "10mins"},
          {"authenticate_agents", "false"},
          {"authenticate_frameworks", "false"},
          {"authenticate_http_frameworks", "false"},
          {"authenticate_http_readonly", "false"},
          {"authenticate_http_readwrite", "false"},
          {"authentication_v0_timeout", "15secs"},
          {"authenticators", "crammd5"},
          {"authorizers", "local"},
          {"filter_gpu_resources", "true"},
          {"framework_sorter", "drf"},
          {"help", "false"},
          {"hostname_lookup", "true"},
          {"http_authenticators", "basic"},
          {"initialize_driver_logging", "true"},
          {"log_auto_initialize", "true"},
          {"logbufsecs", "0"},
          {"logging_level", "INFO"},
          {"max_agent_ping_timeouts", "5"},
          {"max_completed_frameworks", "50"},
          {"max_completed_tasks_per_framework", "1000"},
          {"max_operator_event_stream_subscribers", "1000"},
          {"max_unreachable_tasks_per_framework", "1000"},
          {"memory_profiling", "false"},
          {"min_allocatable_resources", "cpus:0.01|mem:32"},
          {"offer_constraints_re2_max_mem", "4096"},
          {"offer_constraints_re2_max_program_size", "100"},
          {"publish_per_framework_metrics", "true"},
          {"quiet", "false"},
          {"recovery_agent_removal_limit", "100%"},
          {"registry", "in_memory"},
          {"registry_fetch_timeout", "1mins"},
          {"registry_gc_interval", "15mins"},
          {"registry_max_agent_age", "2weeks"},
          {"registry_max_agent_count", "102400"},
          {"registry_store_timeout", "20secs"},
          {"registry_strict", "false"},
          {"require_agent_domain", "false"},
          {"role_sorter", "drf"},
          {"root_submissions", "true"},
          {"version", "false"},
          {"webui_dir", "/usr/local/share/mesos/webui"},
          {"zk_session_timeout", "10secs"}};
}

// A JSON text, or the file it is in: "file:///path", "/path".
Result<Json> ReadJson(const std::string& name, const std::string& value) {
  std::string text = value;
  if (value.starts_with("file://") || value.starts_with("/")) {
    const std::string path = value.starts_with("file://") ? value.substr(7) : value;
    std::ifstream file(path);
    if (!file) return Fail(ErrorCode::kNotFound, "--{}: cannot read {}", name, path);
    std::stringstream content;
    content << file.rdbuf();
    text = content.str();
  }
  Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) {
    return Fail(ErrorCode::kInvalidArgument, "--{} is no JSON object", name);
  }
  return json;
}

AclEntity ParseEntity(const Json& json) {
  AclEntity entity;
  const std::string type = json.value("type", "SOME");
  entity.type = type == "ANY"    ? AclEntity::Type::kAny
                : type == "NONE" ? AclEntity::Type::kNone
                                 : AclEntity::Type::kSome;
  for (const Json& value : json.value("values", Json::array())) {
    if (value.is_string()) entity.values.insert(value.get<std::string>());
  }
  return entity;
}

std::vector<Acl> ParseAclList(const Json& json, const char* action, const char* objects) {
  std::vector<Acl> list;
  for (const Json& entry : json.value(action, Json::array())) {
    list.push_back({ParseEntity(entry.value("principals", Json::object())),
                    ParseEntity(entry.value(objects, Json::object()))});
  }
  return list;
}

Result<Acls> ParseAcls(const std::string& value) {
  KILN_TRY(const Json json, ReadJson("acls", value));
  Acls acls;
  acls.permissive = json.value("permissive", true);
  acls.register_frameworks = ParseAclList(json, "register_frameworks", "roles");
  acls.run_tasks = ParseAclList(json, "run_tasks", "users");
  return acls;
}

Result<std::map<std::string, std::string>> ParseCredentials(const std::string& value) {
  KILN_TRY(const Json json, ReadJson("credentials", value));
  std::map<std::string, std::string> credentials;
  for (const Json& entry : json.value("credentials", Json::array())) {
    if (!entry.is_object() || !entry.contains("principal")) {
      return Fail(ErrorCode::kInvalidArgument, "--credentials: an entry has no principal");
    }
    credentials[entry.value("principal", "")] = entry.value("secret", "");
  }
  return credentials;
}

// "cpus:0.01|mem:32;disk:100": alternatives of amounts.
Result<MinAllocatable> ParseMinAllocatable(const std::string& value) {
  MinAllocatable alternatives;
  std::stringstream list(value);
  for (std::string alternative; std::getline(list, alternative, '|');) {
    KILN_TRY(const auto resources, ParseResources(alternative));
    auto& amounts = alternatives.emplace_back();
    for (const auto& resource : resources) amounts[resource.name()] = resource.scalar().value();
  }
  return alternatives;
}

}  // namespace

Result<std::map<std::string, std::string>> SplitFlags(const std::vector<std::string>& flags) {
  std::map<std::string, std::string> values;
  for (const std::string& flag : flags) {
    if (!flag.starts_with("--")) {
      return Fail(ErrorCode::kInvalidArgument, "'{}' is no flag: it has no leading --", flag);
    }
    const size_t equals = flag.find('=');
    std::string name = flag.substr(2, equals == std::string::npos ? equals : equals - 2);
    if (equals != std::string::npos) {
      values[name] = flag.substr(equals + 1);
    } else if (name.starts_with("no-")) {
      values[name.substr(3)] = "false";
    } else {
      values[name] = "true";
    }
  }
  return values;
}

Result<MasterFlags> ParseMasterFlags(const std::vector<std::string>& flags) {
  KILN_TRY(const auto values, SplitFlags(flags));
  MasterFlags parsed;
  parsed.shown = Defaults();
  MasterOptions& options = parsed.options;
  const std::map<std::string, bool*> booleans{
      {"authenticate_http_frameworks", &parsed.authenticate_frameworks},
      {"authenticate_http_readonly", &parsed.authenticate_readonly},
      {"authenticate_http_readwrite", &parsed.authenticate_readwrite},
      {"root_submissions", &options.root_submissions},
      {"filter_gpu_resources", &options.allocator.filter_gpu_resources}};
  const std::map<std::string, Duration*> durations{
      {"allocation_interval", &options.allocator.allocation_interval},
      {"agent_ping_timeout", &options.agent_ping_timeout},
      {"agent_reregister_timeout", &options.agent_reregister_timeout}};
  const std::map<std::string, size_t*> counts{
      {"max_completed_frameworks", &options.max_completed_frameworks},
      {"max_completed_tasks_per_framework", &options.max_completed_tasks_per_framework},
      {"max_unreachable_tasks_per_framework", &options.max_unreachable_tasks_per_framework},
      {"max_operator_event_stream_subscribers", &options.max_operator_streams}};
  for (const auto& [name, value] : values) {
    parsed.shown[name] = value;
    if (auto found = booleans.find(name); found != booleans.end()) {
      *found->second = value == "true" || value == "1";
    } else if (auto duration = durations.find(name); duration != durations.end()) {
      KILN_TRY(*duration->second, ParseDuration(value));
    } else if (auto count = counts.find(name); count != counts.end()) {
      *count->second = std::strtoull(value.c_str(), nullptr, 10);
    } else if (name == "max_agent_ping_timeouts") {
      options.max_agent_ping_timeouts = std::atoi(value.c_str());
    } else if (name == "offer_timeout") {
      KILN_TRY(options.offer_timeout, ParseDuration(value));
    } else if (name == "hostname") {
      options.hostname = value;
    } else if (name == "registry") {
      parsed.durable_registry = value != "in_memory";
    } else if (name == "min_allocatable_resources") {
      KILN_TRY(options.allocator.min_allocatable, ParseMinAllocatable(value));
    } else if (name == "acls") {
      KILN_TRY(options.acls, ParseAcls(value));
    } else if (name == "credentials") {
      KILN_TRY(parsed.credentials, ParseCredentials(value));
    }
  }
  return parsed;
}

}  // namespace kiln::local
