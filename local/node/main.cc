// kiln-local: a Mesos master and agents in one process on loopback.
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/log.h"
#include "local/node/node.h"

namespace {

constexpr char kUsage[] =
    "kiln-local --work_dir=FOLDER [--port=5050] [--agents=1] [--agent-resources=cpus:4;mem:4096]\n"
    "           [--agent-flag=NUMBER:--FLAG=VALUE] [--agent={\"flags\":[...],\"start\":true}]\n"
    "           [--FLAG=VALUE of a Mesos master]\n"
    "LIBPROCESS_SSL_ENABLED, _CERT_FILE and _KEY_FILE in its environment have it speak TLS.\n"
    "Prints {\"master\":PORT,\"agents\":[PORT,...]} when it listens. SIGTERM ends it.\n";

// As the processes of Mesos take it.
kiln::net::TlsServerOptions ReadTls() {
  const auto text = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value == nullptr ? "" : value);
  };
  const std::string enabled = text("LIBPROCESS_SSL_ENABLED");
  if (enabled != "1" && enabled != "true") return {};
  return {text("LIBPROCESS_SSL_CERT_FILE"), text("LIBPROCESS_SSL_KEY_FILE")};
}

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
  options->tls = ReadTls();
  if (auto done = kiln::local::RunLocalNode(std::move(*options), Announce); !done) {
    fmt::print(stderr, "kiln-local: {}\n", done.error().message);
    return 1;
  }
  return 0;
}
