#include "cli/commands/program.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>

#include "cli/commands/session.h"
#include "cli/commands/usage.h"
#include "cli/output/exit_code.h"
#include "cli/output/table.h"
#include "wire/rest/json.h"

namespace kiln::cli {
namespace {

using wire::Json;

constexpr const char* kAbout = "Kiln schedules machine learning on Apache Mesos";
constexpr const char* kFooter =
    "The API is found by --api, KILN_API, DCOS_URL with --name, or `kiln local up` in\n"
    "~/.kiln/local.\n"
    "Its token is --token or KILN_TOKEN; to a service of DC/OS goes the token of `dcos auth "
    "login`.\n"
    "Exit codes: 0 done; 1 the job failed or does not fit; 2 wrong arguments; 64 wrong input;\n"
    "66 not found; 69 no answer; 70 a fault of the program; 73 in conflict; 74 no room;\n"
    "75 not at this time; 77 not allowed.";

// What `dcos config set kiln.KEY` may set.
constexpr const char* kConfigSchema =
    R"({"$schema":"http://json-schema.org/schema#","additionalProperties":false,"properties":)"
    R"({"service_name":{"description":"name of the service","title":"Service name",)"
    R"("type":"string"}},"type":"object"})";

std::string Value(const Program& program, const std::string& name, std::string otherwise) {
  const auto found = program.environment.find(name);
  return found == program.environment.end() ? otherwise : found->second;
}

// As dcos-kiln, the first argument is the name of the command, "kiln".
bool IsDcos(const Program& program) {
  return program.name.substr(program.name.rfind('/') + 1).starts_with("dcos-");
}

// As one word of a shell.
std::string Quoted(const std::string& text) {
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? "'\\''" : std::string(1, c);
  return quoted + "'";
}

// What `dcos config show KEY` prints; empty when there is no such program or key.
std::string DcosSetting(const std::string& dcos, const std::string& key) {
  std::string text;
  FILE* pipe = popen((Quoted(dcos) + " config show " + key + " 2>/dev/null").c_str(), "r");
  if (pipe == nullptr) return text;
  char piece[4096];
  while (fgets(piece, sizeof piece, pipe) != nullptr) text += piece;
  if (pclose(pipe) != 0) return "";
  return text.substr(0, text.find_last_not_of("\r\n") + 1);
}

// Old versions of dcos give their subcommands no address and no token.
void AddDcosSettings(Program& program) {
  auto& environment = program.environment;
  const std::pair<const char*, const char*> settings[] = {
      {"DCOS_URL", "core.dcos_url"}, {"DCOS_ACS_TOKEN", "core.dcos_acs_token"}};
  if (environment.contains("DCOS_URL")) return;
  const std::string dcos = Value(program, "DCOS_CLI_EXECUTABLE_PATH", "dcos");
  for (const auto& [name, key] : settings) {
    const std::string value = DcosSetting(dcos, key);
    if (!value.empty()) environment[name] = value;
  }
  const std::string verify = DcosSetting(dcos, "core.ssl_verify");
  if (verify == "false" || verify == "False") {
    environment["DCOS_TLS_INSECURE"] = "1";
  } else if (verify.starts_with('/')) {
    environment["DCOS_TLS_CA_PATH"] = verify;
  }
}

int RunAction(const Session& session) {
  Result<int> code = kExitDone;
  try {
    code = session.action();
  } catch (const Json::exception& error) {
    const auto api = session.Api();
    code = NotKilns(api ? api->base() : "the API", error.what());
  }
  if (code) return *code;
  session.PrintError(code.error());
  return ExitCodeOf(code.error().code);
}

int Parse(CLI::App& app, Session& session, std::vector<std::string> arguments) {
  std::reverse(arguments.begin(), arguments.end());  // CLI11 takes them from the back
  try {
    app.parse(std::move(arguments));
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error, session.program.out);  // --help
    session.PrintError(UsageError(app, error));
    return kExitUsage;
  }
  return RunAction(session);
}

int RunCommand(Program& program) {
  std::vector<std::string> arguments = program.arguments;
  const bool dcos = IsDcos(program);
  if (dcos && !arguments.empty()) arguments.erase(arguments.begin());
  if (dcos && !arguments.empty() && arguments[0] == "--info") {
    program.out << kAbout << "\n";
    return kExitDone;
  }
  if (dcos && !arguments.empty() && arguments[0] == "--config-schema") {
    program.out << kConfigSchema << "\n";
    return kExitDone;
  }

  Session session{program, {}, false, false, {}};
  session.address.service = Value(program, "DCOS_KILN_SERVICE_NAME", "kiln");
  session.address.local_dir = Value(program, "HOME", ".") + "/.kiln/local";

  CLI::App app(kAbout, dcos ? "dcos kiln" : "kiln");
  app.footer(kFooter);
  app.set_version_flag("--version", "kiln " KILN_VERSION);
  app.fallthrough();
  app.require_subcommand(1);
  app.add_option("--api", session.address.api, "address of the API, such as http://host:8080");
  app.add_option("--token", session.address.token,
                 "token for the API; KILN_TOKEN hides it from other users of this machine");
  app.add_option("--ca-file", session.address.ca_file,
                 "PEM certificates that vouch for an https API; or KILN_CA_FILE");
  app.add_option("--name", session.address.service, "name of the service in DC/OS");
  app.add_flag("--json", session.json, "print the answer as JSON");
  app.add_flag("-q,--quiet", session.quiet, "print names only");
  // Every command of dcos takes them; nothing here asks for a yes or has more to say.
  if (dcos) app.add_flag("-v,-y,--yes")->group("");
  AddJobCommands(app, session);
  AddModelCommands(app, session);
  AddClusterCommands(app, session);
  AddArtifactCommands(app, session);
  AddLocalCommands(app, session);
  AddStateCommands(app, session);
  if (arguments.empty()) {
    program.out << app.help();
    return kExitDone;
  }
  if (dcos) AddDcosSettings(program);
  return Parse(app, session, std::move(arguments));
}

}  // namespace

int Run(const Program& given) {
  Program program = given;
  const int code = RunCommand(program);
  // Nothing is done before what the stream keeps is out. A write is the last to fail.
  const bool written = program.out.rdbuf()->pubsync() == 0 && program.out.good();
  if (written || code != kExitDone) return code;
  program.err << "error: cannot write the output: " << std::strerror(errno) << "\n";
  return ExitCodeOf(ErrorCode::kResourceExhausted);
}

void Session::PrintJson(const Json& answer) const { program.out << wire::PrettyJson(answer); }

void Session::PrintError(const Error& error) const {
  program.err << "error: " << Clean(TextOf(error)) << "\n";
}

Result<int> Session::ShowList(const std::string& path, const char* list,
                              std::vector<std::string> heads, const Row& row) const {
  KILN_TRY(Client api, Api());
  KILN_TRY(Json answer, api.Get(path));
  if (json) {
    PrintJson(answer);
    return kExitDone;
  }
  const auto members = answer.find(list);
  const auto is_object = [](const Json& member) { return member.is_object(); };
  if (members == answer.end() || !members->is_array() ||
      !std::all_of(members->begin(), members->end(), is_object)) {
    return NotKilns(api.base() + path, fmt::format("expected a list of objects, \"{}\"", list));
  }
  Table table(std::move(heads));
  for (const Json& member : *members) {
    std::vector<std::string> cells = row(member);
    if (quiet) program.out << cells[0] << "\n";
    table.Add(std::move(cells));
  }
  if (!quiet) table.Print(program.out);
  return kExitDone;
}

std::string Cell(const Json& object, const char* member) {
  const auto found = object.find(member);
  if (found == object.end() || found->is_null()) return "-";
  if (found->is_string()) {
    const auto& text = found->get_ref<const std::string&>();
    return text.empty() ? "-" : text;
  }
  if (!found->is_array()) return wire::DumpJson(*found);
  std::string text;
  for (const Json& item : *found) {
    text += (text.empty() ? "" : ", ") +
            (item.is_string() ? item.get<std::string>() : wire::DumpJson(item));
  }
  return text.empty() ? "-" : text;
}

std::string ResourcesCell(const Json& resources) {
  std::string text;
  for (const auto& [name, value] : resources.items()) {
    if (!text.empty()) text += ", ";
    if (name == "gpu_ids" || name == "volumes") {  // a table has no room for their names
      text += fmt::format("{} {}", name == "volumes" ? "volumes" : "gpus", value.size());
      continue;
    }
    text += name + " ";
    text += value.is_number() ? fmt::format("{:g}", value.get<double>())
                              : Cell(resources, name.c_str());
  }
  return text.empty() ? "-" : text;
}

void PrintRefusals(std::ostream& out, const Json& refusals) {
  Table reasons({"GROUP", "WAITING", "BLOCKER", "REASON"});
  Table more({"GROUP", "NEAREST", "HELD BY", "STARTS"});
  bool any = false;
  for (const Json& refusal : refusals) {
    const std::string group = Cell(refusal, "group");
    reasons.Add(
        {group, Cell(refusal, "members"), Cell(refusal, "blocker"), Cell(refusal, "reason")});
    std::string starts = Cell(refusal, "estimate");
    any = any || starts != "-";
    if (const std::string time = Cell(refusal, "estimated_start"); time != "-") {
      starts = time + ", " + starts;
    }
    more.Add({group, Cell(refusal, "nearest"), Cell(refusal, "held_by"), std::move(starts)});
  }
  reasons.Print(out);
  if (!any) return;
  out << "\n";
  more.Print(out);
}

std::string PercentCell(const Json& object) {
  const auto kind = object.find("kind");
  if (kind != object.end() && (*kind == "serving" || *kind == "service")) return "-";
  return fmt::format("{}%", static_cast<int>(std::floor(object.value("fraction", 0.0) * 100)));
}

}  // namespace kiln::cli
