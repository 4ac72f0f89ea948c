#include "local/node/registry_file.h"

#include <filesystem>
#include <fstream>
#include <sstream>

#include "wire/mesos/json.h"
#include "wire/rest/json.h"

namespace kiln::local {

using wire::Json;

Status WriteRegistry(const std::string& path, const Registry& registry) {
  Json json{{"agents", Json::array()},    {"unreachable", Json::object()},
            {"gone", Json::object()},     {"deactivated", registry.deactivated},
            {"draining", Json::object()}, {"schedule", wire::ToJson(registry.maintenance.schedule)},
            {"down", Json::array()}};
  for (const auto& agent : registry.agents) json["agents"].push_back(wire::ToJson(agent));
  for (const auto& [id, since] : registry.unreachable) json["unreachable"][id] = since.nanoseconds;
  for (const auto& [id, since] : registry.gone) json["gone"][id] = since.nanoseconds;
  for (const auto& [id, info] : registry.draining) json["draining"][id] = wire::ToJson(info);
  for (const auto& machine : registry.maintenance.down) {
    json["down"].push_back(wire::ToJson(machine));
  }
  std::error_code failed;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), failed);
  const std::string temporary = path + ".tmp";
  std::ofstream file(temporary);
  file << json.dump(1);
  if (!file.flush()) return Fail(ErrorCode::kUnavailable, "cannot write {}", temporary);
  std::filesystem::rename(temporary, path, failed);
  if (failed) return Fail(ErrorCode::kUnavailable, "cannot write {}: {}", path, failed.message());
  return {};
}

Result<Registry> ReadRegistry(const std::string& path) {
  std::ifstream file(path);
  if (!file) return Registry{};
  const Json json = Json::parse(file, nullptr, false);
  if (!json.is_object()) return Fail(ErrorCode::kDataLoss, "{} is no registry", path);
  Registry registry;
  for (const Json& text : json.value("agents", Json::array())) {
    mesos::v1::AgentInfo agent;
    KILN_TRY_OK(wire::FromJson(text.get<std::string>(), agent));
    registry.agents.push_back(std::move(agent));
  }
  const Json unreachable = json.value("unreachable", Json::object());
  for (const auto& [id, since] : unreachable.items()) {
    registry.unreachable[id] = Instant{since.get<int64_t>()};
  }
  const Json gone = json.value("gone", Json::object());
  for (const auto& [id, since] : gone.items()) {
    registry.gone[id] = Instant{since.get<int64_t>()};
  }
  for (const Json& id : json.value("deactivated", Json::array())) {
    registry.deactivated.push_back(id.get<std::string>());
  }
  const Json draining = json.value("draining", Json::object());
  for (const auto& [id, text] : draining.items()) {
    KILN_TRY_OK(wire::FromJson(text.get<std::string>(), registry.draining[id]));
  }
  KILN_TRY_OK(wire::FromJson(json.value("schedule", "{}"), registry.maintenance.schedule));
  for (const Json& text : json.value("down", Json::array())) {
    KILN_TRY_OK(wire::FromJson(text.get<std::string>(), registry.maintenance.down.emplace_back()));
  }
  return registry;
}

}  // namespace kiln::local
