// The command line of kiln-local, and an agent's share of this machine.
#include <fmt/format.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "local/node/node.h"
#include "wire/rest/json.h"

namespace kiln::local {

namespace {

using wire::Json;

// "name" and "value" of "--name=value".
std::pair<std::string, std::string> Apart(const std::string& flag) {
  const size_t equals = flag.find('=');
  if (equals == std::string::npos) return {flag, ""};
  return {flag.substr(0, equals), flag.substr(equals + 1)};
}

Result<int> Number(const std::string& name, const std::string& value, int most) {
  char* end = nullptr;
  const long number = std::strtol(value.c_str(), &end, 10);
  if (value.empty() || *end != '\0' || number < 0 || number > most) {
    return Fail(ErrorCode::kInvalidArgument, "{}: '{}' is not a number from 0 to {}", name, value,
                most);
  }
  return static_cast<int>(number);
}

// {"flags": ["--resources=cpus:4"], "start": true}
Result<NodeAgent> ParseAgent(const std::string& text) {
  const Json json = Json::parse(text, nullptr, false);
  const Json flags = json.is_object() ? json.value("flags", Json::array()) : Json();
  if (!flags.is_array()) {
    return Fail(ErrorCode::kInvalidArgument, "--agent: '{}' is not {{\"flags\": [...]}}", text);
  }
  NodeAgent agent;
  for (const Json& flag : flags) {
    if (flag.is_string()) agent.flags.push_back(flag.get<std::string>());
  }
  agent.start = !json.contains("start") || json["start"] != Json(false);
  return agent;
}

bool Names(const NodeAgent& agent, std::string_view flag) {
  return std::any_of(agent.flags.begin(), agent.flags.end(),
                     [&](const std::string& text) { return text.starts_with(flag); });
}

}  // namespace

std::string MachineResources(const std::string& folder) {
  constexpr double kMegabyte = 1 << 20;
  const double mem = static_cast<double>(sysconf(_SC_PHYS_PAGES)) *
                     static_cast<double>(sysconf(_SC_PAGESIZE)) / kMegabyte;
  struct statvfs disk {};
  double size = 0;
  if (statvfs(folder.c_str(), &disk) == 0) {
    size = static_cast<double>(disk.f_blocks) * static_cast<double>(disk.f_frsize) / kMegabyte;
  }
  // As a Mesos agent: something is left to the machine.
  const double offered_mem = mem > 2048 ? mem - 1024 : mem / 2;
  const double offered_disk = size > 10240 ? size - 5120 : size / 2;
  return fmt::format("cpus:{};mem:{:.0f};disk:{:.0f};ports:[31000-32000]",
                     std::max(1u, std::thread::hardware_concurrency()), offered_mem, offered_disk);
}

Result<NodeOptions> ParseNodeOptions(const std::vector<std::string>& arguments) {
  NodeOptions options;
  std::optional<int> agents;
  std::string resources;
  std::vector<std::pair<size_t, std::string>> agent_flags;
  for (const std::string& argument : arguments) {
    const auto [name, value] = Apart(argument);
    if (name == "--host") {
      options.host = value;
    } else if (name == "--port") {
      KILN_TRY(options.port, Number(name, value, 65535));
    } else if (name == "--work_dir") {
      options.work_dir = value;
    } else if (name == "--agents") {
      KILN_TRY(agents, Number(name, value, 1000));
    } else if (name == "--agent-resources") {
      resources = value;
    } else if (name == "--agent-flag") {
      const size_t colon = value.find(':');
      KILN_TRY(const int number, Number(name, value.substr(0, colon), 1000));
      if (colon == std::string::npos || number == 0) {
        return Fail(ErrorCode::kInvalidArgument, "--agent-flag: '{}' is not NUMBER:FLAG", value);
      }
      agent_flags.emplace_back(number, value.substr(colon + 1));
    } else if (name == "--agent") {
      KILN_TRY(NodeAgent agent, ParseAgent(value));
      options.agents.push_back(std::move(agent));
    } else if (name == "--master-flag") {
      options.master_flags.push_back(value);
    } else if (argument.starts_with("--")) {
      options.master_flags.push_back(argument);
    } else {
      return Fail(ErrorCode::kInvalidArgument, "'{}' is no flag", argument);
    }
  }
  // One agent, unless it is said how many or which.
  const int more = agents.value_or(options.agents.empty() ? 1 : 0);
  options.agents.resize(options.agents.size() + static_cast<size_t>(more));
  for (auto& [number, flag] : agent_flags) {
    if (number > options.agents.size()) {
      return Fail(ErrorCode::kInvalidArgument, "--agent-flag: there is no agent {}", number);
    }
    options.agents[number - 1].flags.push_back(std::move(flag));
  }
  for (NodeAgent& agent : options.agents) {
    if (!resources.empty() && !Names(agent, "--resources=")) {
      agent.flags.push_back("--resources=" + resources);
    }
  }
  if (options.work_dir.empty()) {
    return Fail(ErrorCode::kInvalidArgument, "--work_dir is missing: the folder for sandboxes");
  }
  return options;
}

}  // namespace kiln::local
