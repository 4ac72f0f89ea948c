#include <CLI/CLI.hpp>

#include "base/log.h"
#include "cli/commands/local_node.h"
#include "cli/commands/session.h"
#include "cli/output/exit_code.h"
#include "wire/rest/json.h"

namespace kiln::cli {
namespace {

using wire::Json;

struct UpOptions {
  LocalOptions node;
  std::string mem;
  bool detach = false;
};

void Announce(const Session& session, const Json& state) {
  if (session.json) {
    session.PrintJson(state);
  } else {
    session.program.out << "master  http://" << Cell(state, "master") << "\n"
                        << "api     http://" << Cell(state, "api") << "\n";
  }
  session.program.out << std::flush;
}

Result<int> Up(const Session& session, UpOptions options) {
  if (!options.mem.empty()) {
    auto mem = ParseBytes(options.mem);
    if (!mem) return Failure(Within("--mem", mem.error()));
    options.node.mem = *mem;
  }
  StartLog("kiln", options.detach ? LogLevel::kInfo : LogLevel::kWarning);
  if (options.detach) {
    KILN_TRY(Json state, RunLocalDetached(options.node));
    Announce(session, state);
    return kExitDone;
  }
  KILN_TRY_OK(RunLocal(options.node, [&session](const Json& state) { Announce(session, state); }));
  return kExitDone;
}

}  // namespace

void AddLocalCommands(CLI::App& app, Session& session) {
  CLI::App* local = app.add_subcommand("local", "a one-machine Mesos with a scheduler");
  local->require_subcommand(1);
  local->add_option("--dir", session.address.local_dir,
                    "folder of its state, sandboxes and logs (~/.kiln/local)");
  auto options = std::make_shared<UpOptions>();
  auto* up = local->add_subcommand("up", "start it; it runs until Ctrl-C or `kiln local down`");
  up->add_option("--agents", options->node.agents, "how many agents (1)")
      ->check(CLI::Range(1, 1000));
  up->add_option("--port", options->node.port, "of the master (5050); 0: a free one")
      ->check(CLI::Range(0, 65535));
  up->add_option("--api-port", options->node.api_port, "of the API (8080); 0: a free one")
      ->check(CLI::Range(0, 65535));
  up->add_option("--cpus", options->node.cpus, "of each agent (those of this machine)")
      ->check(CLI::Range(0.01, 4096.0));
  up->add_option("--mem", options->mem, "of each agent, such as 4GiB (its share)");
  up->add_option("--gpus", options->node.gpus, "file with GPUs that each agent pretends to have");
  up->add_option("--role", options->node.role, "Mesos role of the scheduler (*)");
  up->add_option("--cluster", options->node.cluster, "file with agents of many shapes")
      ->excludes("--agents")
      ->excludes("--cpus")
      ->excludes("--mem")
      ->excludes("--gpus");
  up->add_flag("--detach", options->detach, "come back when it runs");
  up->callback([&session, options] {
    session.action = [&session, options] {
      options->node.dir = session.address.local_dir;
      return Up(session, *options);
    };
  });
  auto* down = local->add_subcommand("down", "end it");
  down->callback([&session] {
    session.action = [&session]() -> Result<int> {
      KILN_TRY_OK(StopLocal(session.address.local_dir));
      return kExitDone;
    };
  });
}

}  // namespace kiln::cli
