// What every command has at hand, and the functions that declare the commands.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/commands/client.h"
#include "cli/commands/program.h"
#include "cli/output/table.h"
#include "wire/rest/json_fwd.h"

namespace CLI {
class App;
}

namespace kiln::cli {

// Threads: one. Owner: Run, for the time of one command.
struct Session {
  const Program& program;
  AddressOptions address;
  bool json = false;
  bool quiet = false;
  // Of the command that was chosen; gives the exit code.
  std::function<Result<int>()> action;

  Result<Client> Api() const { return FindApi(address, program.environment); }
  // The answer as it is, for --json.
  void PrintJson(const wire::Json& json) const;
  void PrintError(const Error& error) const;

  // Shows what `path` answers as `list`: as it is, as a table of the cells of each member, or of
  // each the first cell alone.
  using Row = std::function<std::vector<std::string>(const wire::Json& member)>;
  Result<int> ShowList(const std::string& path, const char* list, std::vector<std::string> heads,
                       const Row& row) const;
};

void AddJobCommands(CLI::App& app, Session& session);
void AddSubmitCommands(CLI::App& job, Session& session);
void AddModelCommands(CLI::App& app, Session& session);
void AddClusterCommands(CLI::App& app, Session& session);
void AddArtifactCommands(CLI::App& app, Session& session);
void AddLocalCommands(CLI::App& app, Session& session);
void AddStateCommands(CLI::App& app, Session& session);

// A text member as it is, a number as its digits, null as "-", a list with commas.
std::string Cell(const wire::Json& object, const char* member);
// "cpus 4, mem 8GiB": the members of an object of resources.
std::string ResourcesCell(const wire::Json& resources);
// Why groups wait; and where they nearly fit, who holds what they lack, and when they start.
void PrintRefusals(std::ostream& out, const wire::Json& refusals);
// How far a job or group is; "-" for a job that does not end by itself.
std::string PercentCell(const wire::Json& object);

}  // namespace kiln::cli
