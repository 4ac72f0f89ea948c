// kiln-local: a Mesos master and agents in one process on loopback.
#include <fmt/format.h>

#include <cstdio>
#include <string>
#include <vector>

#include "base/log.h"
#include "local/node/node.h"

namespace {

constexpr char kUsage[] =
    "kiln-local --work_dir=FOLDER [--port=5050] [--agents=1] [--agent-resources=cpus:4;mem:4096]\n"
    "           [--agent-flag=NUMBER:--FLAG=VALUE] [--agent={\"flags\":[...],\"start\":true}]\n"
    "           [--FLAG=VALUE of a Mesos master]\n"
    "Prints {\"master\":PORT,\"agents\":[PORT,...]} when it listens. SIGTERM ends it.\n";

// One line for whoever started it.
void Announce(const kiln::local::Node& node) {
  fmt::print("{{\"master\":{},\"agents\":[{}]}}\n", node.master_port(),
             fmt::join(node.agent_ports(), ","));
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  kiln::StartLog("kiln-local");
  std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments == std::vector<std::string>{"--help"}) {
    fmt::print("{}", kUsage);
    return 0;
  }
  auto options = kiln::local::ParseNodeOptions(arguments);
  if (!options) {
    fmt::print(stderr, "kiln-local: {}\n{}", options.error().message, kUsage);
    return 2;
  }
  if (auto done = kiln::local::RunLocalNode(std::move(*options), Announce); !done) {
    fmt::print(stderr, "kiln-local: {}\n", done.error().message);
    return 1;
  }
  return 0;
}
