// kiln-executor: started by an agent for the tasks of one executor.
#include <netdb.h>
#include <signal.h>

#include <cstdlib>

#include "base/log.h"
#include "executor/daemon/daemon.h"
#include "wire/net/http.h"

namespace kiln::executor {
namespace {

std::optional<std::string> Variable(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

// The agent's address is this machine's: servers listen there, and others find them.
std::string OwnHost(const wire::ExecutorEnvironment& environment) {
  if (auto ip = Variable("LIBPROCESS_IP")) return *ip;
  auto agent = net::ParseUrl(environment.agent_endpoint);
  return agent ? agent->host : "127.0.0.1";
}

// Whom the certificate of an agent may be for beside its address: the name that the address has,
// as Mesos's own processes look it up.
std::string NameOf(const std::string& endpoint) {
  const auto url = net::ParseUrl(endpoint);
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST;
  addrinfo* found = nullptr;
  if (!url || !url->secure || getaddrinfo(url->host.c_str(), nullptr, &hints, &found) != 0) {
    return "";
  }
  char name[NI_MAXHOST] = {};
  getnameinfo(found->ai_addr, found->ai_addrlen, name, sizeof name, nullptr, 0, NI_NAMEREQD);
  freeaddrinfo(found);
  return name;
}

int Run() {
  StartLog("kiln-executor");
  auto environment = wire::ReadExecutorEnvironment(Variable);
  if (!environment) {
    LogError("{}", environment.error().message);
    LogError("kiln-executor is started by a Mesos agent");
    return 2;
  }
  auto tls = net::TlsContext::ForClients(environment->tls);
  if (!tls) {
    LogError("TLS of the agent: {}", tls.error().message);
    return 2;
  }
  environment->agent_name = NameOf(environment->agent_endpoint);
  signal(SIGPIPE, SIG_IGN);
  net::Loop loop;
  int code = 0;
  auto daemon = std::make_unique<Daemon>(
      loop, *environment, OwnHost(*environment),
      [&](int exit_code) {
        code = exit_code;
        loop.Stop();
      },
      *tls);
  auto on_term = loop.OnSignal(SIGTERM, [&] { daemon->ShutDown(); });
  daemon->Start();
  loop.Run();
  // A computation that was left behind still has its thread: nothing is taken away under it.
  std::_Exit(code);
}

}  // namespace
}  // namespace kiln::executor

int main() { return kiln::executor::Run(); }
