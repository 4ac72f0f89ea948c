// kiln state: the file that a scheduler keeps its state in.
#include <CLI/CLI.hpp>

#include "cli/commands/session.h"
#include "cli/output/exit_code.h"
#include "model/units.h"
#include "scheduler/store/state_file.h"
#include "wire/rest/json.h"
#include "wire/zookeeper/address.h"

namespace kiln::cli {
namespace {

using scheduler::StateSummary;
using wire::Json;

struct Paths {
  std::string from;
  std::string to;
};

Status CheckFile(const char* field, const std::string& path) {
  if (!wire::IsZookeeperAddress(path)) return {};
  return FailField(field,
                   "state is in ZooKeeper, expected a file: ZooKeeper keeps copies and backups of "
                   "its nodes itself");
}

Result<int> Show(const Session& session, const std::string& path,
                 const Result<StateSummary>& summary) {
  if (!summary) return Failure(summary.error());
  if (session.json) {
    session.PrintJson({{"file", path},
                       {"schema_version", summary->schema_version},
                       {"revision", summary->revision},
                       {"framework_id", summary->framework_id},
                       {"bytes", summary->bytes},
                       {"records", summary->records}});
    return kExitDone;
  }
  if (session.quiet) return kExitDone;
  std::string records;
  for (const auto& [kind, count] : summary->records) {
    records += fmt::format("{}{} {}", records.empty() ? "" : ", ", kind, count);
  }
  const auto line = [&session](const char* name, const std::string& value) {
    session.program.out << fmt::format("{:<11}{}\n", name, value.empty() ? "-" : value);
  };
  line("file:", path);
  line("schema:", std::to_string(summary->schema_version));
  line("revision:", std::to_string(summary->revision));
  line("framework:", summary->framework_id);
  line("size:", FormatBytes({static_cast<int64_t>(summary->bytes)}));
  line("records:", records);
  return kExitDone;
}

Result<int> Verify(const Session& session, const Paths& paths) {
  KILN_TRY_OK(CheckFile("FILE", paths.from));
  return Show(session, paths.from, scheduler::VerifyState(paths.from));
}

Result<int> BackUp(const Session& session, const Paths& paths) {
  KILN_TRY_OK(CheckFile("STATE", paths.from));
  return Show(session, paths.to, scheduler::BackUpState(paths.from, paths.to));
}

Result<int> Restore(const Session& session, const Paths& paths) {
  KILN_TRY_OK(CheckFile("STATE", paths.to));
  return Show(session, paths.to,
              scheduler::RestoreState(paths.from, paths.to, SystemClock().Now()));
}

}  // namespace

void AddStateCommands(CLI::App& app, Session& session) {
  CLI::App* state = app.add_subcommand("state", "the file of kiln-scheduler's --state");
  state->require_subcommand(1);
  auto paths = std::make_shared<Paths>();
  const auto does = [&session, paths](CLI::App* command,
                                      Result<int> (*run)(const Session&, const Paths&)) {
    command->callback([&session, paths, run] {
      session.action = [&session, paths, run] { return run(session, *paths); };
    });
  };
  auto* verify = state->add_subcommand("verify", "read every page and record of a state or backup");
  verify->add_option("FILE", paths->from)->required();
  does(verify, Verify);
  auto* backup =
      state->add_subcommand("backup", "copy a state, also while the scheduler runs, and verify it");
  backup->add_option("STATE", paths->from, "the scheduler's --state")->required();
  backup->add_option("BACKUP", paths->to, "a file that is not there yet")->required();
  does(backup, BackUp);
  auto* restore = state->add_subcommand("restore", "verify a backup and make a state of it");
  restore->add_option("BACKUP", paths->from)->required();
  restore->add_option("STATE", paths->to, "a file that is not there yet, for --state")->required();
  does(restore, Restore);
}

}  // namespace kiln::cli
