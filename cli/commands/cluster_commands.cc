// kiln endpoint, kiln agent and kiln role.
#include <CLI/CLI.hpp>

#include "cli/commands/session.h"
#include "cli/output/exit_code.h"
#include "wire/net/http.h"
#include "wire/rest/json.h"

namespace kiln::cli {
namespace {

using wire::Json;

Result<int> ListEndpoints(const Session& session) {
  return session.ShowList(
      "/v1/endpoints", "endpoints", {"ADDRESS", "JOB", "MODELS", "HEALTHY", "TASK"},
      [](const Json& endpoint) -> std::vector<std::string> {
        return {Cell(endpoint, "address"), Cell(endpoint, "job"), Cell(endpoint, "models"),
                Cell(endpoint, "healthy"), Cell(endpoint, "task")};
      });
}

std::string GpuCell(const Json& agent) {
  std::map<std::string, int> models;
  for (const Json& gpu : agent.at("gpus")) ++models[Cell(gpu, "model")];
  std::string text;
  for (const auto& [model, count] : models) {
    text += (text.empty() ? "" : ", ") + std::to_string(count) + " " + model;
  }
  return text.empty() ? "-" : text;
}

// "healthy", "quarantined until 2025-01-31T12:00:00.000Z", "healthy, 1 gpu out".
std::string HealthCell(const Json& agent) {
  std::string text = "healthy";
  int gpus = 0;
  for (const Json& one : agent.at("quarantine")) {
    if (!one.at("gpu").is_null()) {
      ++gpus;
    } else if (one.at("standing") == "PROBATION") {
      text = "on probation";
    } else {
      text = "quarantined" + (one.at("until").is_null() ? "" : " until " + Cell(one, "until"));
    }
  }
  if (gpus > 0) text += fmt::format(", {} gpu{} out", gpus, gpus == 1 ? "" : "s");
  return text;
}

Result<int> ListAgents(const Session& session) {
  return session.ShowList("/v1/agents", "agents",
                          {"HOST", "DOMAIN", "TASKS", "FREE", "USED", "GPUS", "HEALTH", "ID"},
                          [](const Json& agent) -> std::vector<std::string> {
                            return {Cell(agent, "hostname"),
                                    Cell(agent, "domain"),
                                    Cell(agent, "tasks"),
                                    ResourcesCell(agent.at("free")),
                                    ResourcesCell(agent.at("used")),
                                    GpuCell(agent),
                                    HealthCell(agent),
                                    Cell(agent, "id")};
                          });
}

struct QuarantineOptions {
  std::string agent;
  std::string gpu;
  std::string time;
  std::string reason;
};

// `verb` is the last part of the path.
Result<int> ChangeQuarantine(const Session& session, const char* verb,
                             const QuarantineOptions& options) {
  KILN_TRY(Client api, session.Api());
  Json body = Json::object();
  if (!options.gpu.empty()) body["gpu"] = options.gpu;
  if (!options.time.empty()) body["time"] = options.time;
  if (!options.reason.empty()) body["reason"] = options.reason;
  const std::string path = "/v1/agents/" + net::PercentEncodePart(options.agent) + "/" + verb;
  KILN_TRY(Json agent, api.Send("POST", path, wire::DumpJson(body)));
  if (session.json) session.PrintJson(agent);
  return kExitDone;
}

CLI::App* AddQuarantineCommand(CLI::App& agent, Session& session, const char* verb,
                               const char* help, std::shared_ptr<QuarantineOptions> options) {
  CLI::App* command = agent.add_subcommand(verb, help);
  command->add_option("ID", options->agent, "id or hostname of the agent")->required();
  command->add_option("--gpu", options->gpu, "a device of it, and not the whole agent");
  command->callback([&session, verb, options] {
    session.action = [&session, verb, options] {
      return ChangeQuarantine(session, verb, *options);
    };
  });
  return command;
}

std::string ShareCell(const Json& role) {
  return fmt::format("{:.1f}%", role.value("share", 0.0) * 100);
}

Result<int> ListRoles(const Session& session) {
  return session.ShowList("/v1/roles", "roles",
                          {"ROLE", "WEIGHT", "QUOTA", "LIMIT", "USED", "SHARE"},
                          [](const Json& role) -> std::vector<std::string> {
                            return {Cell(role, "name"),
                                    Cell(role, "weight"),
                                    ResourcesCell(role.at("quota")),
                                    ResourcesCell(role.at("limit")),
                                    ResourcesCell(role.at("used")),
                                    ShareCell(role)};
                          });
}

}  // namespace

void AddClusterCommands(CLI::App& app, Session& session) {
  CLI::App* endpoint = app.add_subcommand("endpoint", "model servers that run");
  endpoint->require_subcommand(1);
  endpoint->add_subcommand("list", "their addresses")->callback([&session] {
    session.action = [&session] { return ListEndpoints(session); };
  });
  CLI::App* agent = app.add_subcommand("agent", "machines that offer resources");
  agent->require_subcommand(1);
  agent->add_subcommand("list", "all agents")->callback([&session] {
    session.action = [&session] { return ListAgents(session); };
  });
  auto options = std::make_shared<QuarantineOptions>();
  CLI::App* quarantine =
      AddQuarantineCommand(*agent, session, "quarantine", "keep work from an agent", options);
  quarantine->add_option("--for", options->time, "how long; until it is released when left out");
  quarantine->add_option("--reason", options->reason, "shown by why and in events");
  AddQuarantineCommand(*agent, session, "release", "let work go to an agent again",
                       std::make_shared<QuarantineOptions>());
  CLI::App* role = app.add_subcommand("role", "who pays for jobs");
  role->require_subcommand(1);
  role->add_subcommand("list", "weight, quota, limit and use of each")->callback([&session] {
    session.action = [&session] { return ListRoles(session); };
  });
}

}  // namespace kiln::cli
