#include <CLI/CLI.hpp>

#include "cli/commands/session.h"
#include "cli/output/exit_code.h"
#include "wire/net/http.h"
#include "wire/rest/json.h"

namespace kiln::cli {
namespace {

using wire::Json;

// "accuracy 0.97, rows 449"
std::string NumbersCell(const Json& object) {
  std::string text;
  for (const auto& [name, value] : object.items()) {
    text += (text.empty() ? "" : ", ") + name + " ";
    text += value.is_number_float() ? fmt::format("{:.4g}", value.get<double>())
                                    : wire::DumpJson(value);
  }
  return text.empty() ? "-" : text;
}

const Json& Metrics(const Json& version) {
  static const Json kNone = Json::object();
  return version.contains("metrics") ? version.at("metrics") : kNone;
}

Result<int> ListModels(const Session& session) {
  return session.ShowList("/v1/models", "models", {"NAME", "LATEST", "LABELS", "METRICS"},
                          [](const Json& model) -> std::vector<std::string> {
                            const Json& versions = model.at("versions");
                            return {Cell(model, "name"), Cell(model, "latest"),
                                    NumbersCell(model.at("labels")),
                                    versions.empty() ? "-" : NumbersCell(Metrics(versions.back()))};
                          });
}

Result<int> ShowModel(const Session& session, const std::string& name) {
  KILN_TRY(Client api, session.Api());
  KILN_TRY(Json model, api.Get("/v1/models/" + net::PercentEncodePart(name)));
  if (session.json) {
    session.PrintJson(model);
    return kExitDone;
  }
  Table table({"VERSION", "LABELS", "ALGORITHM", "METRICS", "JOB", "CREATED"});
  for (const Json& version : model["versions"]) {
    std::string labels;
    for (const auto& [label, number] : model["labels"].items()) {
      if (number == version.at("version")) labels += (labels.empty() ? "" : ", ") + label;
    }
    table.Add({Cell(version, "version"), labels.empty() ? "-" : labels, Cell(version, "algorithm"),
               NumbersCell(Metrics(version)), Cell(version, "job"), Cell(version, "created")});
  }
  table.Print(session.program.out);
  return kExitDone;
}

struct PromoteOptions {
  std::string name;
  int64_t version = 0;
  std::string label = "live";
};

Result<int> Promote(const Session& session, const PromoteOptions& options) {
  KILN_TRY(Client api, session.Api());
  const std::string path = "/v1/models/" + net::PercentEncodePart(options.name) + "/labels/" +
                           net::PercentEncodePart(options.label);
  KILN_TRY(Json model, api.Send("PUT", path, wire::DumpJson(Json{{"version", options.version}})));
  if (session.json) session.PrintJson(model);
  return kExitDone;
}

}  // namespace

void AddModelCommands(CLI::App& app, Session& session) {
  CLI::App* model = app.add_subcommand("model", "trained models, their versions and labels");
  model->require_subcommand(1);
  model->add_subcommand("list", "all models")->callback([&session] {
    session.action = [&session] { return ListModels(session); };
  });
  auto name = std::make_shared<std::string>();
  auto* show = model->add_subcommand("show", "the versions of one model");
  show->add_option("NAME", *name)->required();
  show->callback([&session, name] {
    session.action = [&session, name] { return ShowModel(session, *name); };
  });
  auto options = std::make_shared<PromoteOptions>();
  auto* promote = model->add_subcommand("promote", "point a label at a version");
  promote->add_option("NAME", options->name)->required();
  promote->add_option("VERSION", options->version)->required();
  promote->add_option("--label", options->label, "live when it is left out");
  promote->callback([&session, options] {
    session.action = [&session, options] { return Promote(session, *options); };
  });
}

}  // namespace kiln::cli
