// kiln-scheduler: takes jobs over REST and runs them on Mesos.
#include <signal.h>
#include <sys/resource.h>

#include <cstdio>

#include "base/file.h"
#include "base/log.h"
#include "scheduler/api/api.h"
#include "scheduler/daemon/hostname.h"
#include "scheduler/daemon/leadership.h"
#include "scheduler/daemon/options.h"
#include "scheduler/daemon/private_file.h"
#include "scheduler/daemon/scheduler.h"
#include "scheduler/daemon/standby.h"
#include "scheduler/daemon/tokens_file.h"
#include "wire/net/loop.h"
#include "wire/net/server.h"

namespace kiln::scheduler {
namespace {

// As in sysexits.h.
enum Exit { kOk = 0, kUsage = 64, kData = 65, kUnavailable = 69, kSoftware = 70, kIo = 74 };

constexpr Duration kTokensPause = std::chrono::seconds(5);

int ExitOf(const Error& error) {
  switch (error.code) {
    case ErrorCode::kDataLoss:
    case ErrorCode::kFailedPrecondition:
    case ErrorCode::kConflict:
      return kData;
    case ErrorCode::kInvalidArgument:
      return kUsage;
    case ErrorCode::kUnavailable:
      return kUnavailable;
    case ErrorCode::kResourceExhausted:
    case ErrorCode::kPermissionDenied:
    case ErrorCode::kNotFound:
      return kIo;
    default:
      return kSoftware;
  }
}

int Failed(const Error& error) {
  std::fprintf(stderr, "kiln-scheduler: %s\n", error.message.c_str());
  return ExitOf(error);
}

// For as many connections as the system gives: it begins with few of them.
void RaiseDescriptorLimit() {
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

// The address that others reach.
std::string Reachable(const Options& options, int port) {
  if (!options.advertise.empty()) return options.advertise;
  return net::Url{ReachableHost(options.listen_host), port}.Authority();
}

bool Secure(const Options& options) { return !options.server_tls.certificate.empty(); }
const char* Scheme(const Options& options) { return Secure(options) ? "https://" : "http://"; }

// What this process believes and shows, what its server shows, and the authority that tasks judge
// that by.
struct Tls {
  std::shared_ptr<const net::TlsContext> clients;
  std::shared_ptr<const net::TlsContext> server;  // none: the API is plain
  std::string authority;
};

Result<Tls> OpenTls(const Options& options) {
  Tls tls;
  const auto& [certificate, key] = options.server_tls;
  KILN_TRY(tls.clients, net::TlsContext::ForClients(
                            {.ca_file = options.ca_file, .certificate = certificate, .key = key}));
  if (!Secure(options)) return tls;
  KILN_TRY(tls.server, net::TlsContext::ForServer(options.server_tls));
  auto authority = tls.clients->AuthorityOf(options.server_tls);
  if (!authority) return Failure(Within("--tls-cert", authority.error()));
  tls.authority = *std::move(authority);
  return tls;
}

Status Announce(const Options& options, const std::string& address) {
  const std::string url = Scheme(options) + address;
  if (!options.address_file.empty()) {
    KILN_TRY_OK(WriteFile(options.address_file, Secure(options) ? url : address));
  }
  std::printf("kiln-scheduler listens on %s\n", url.c_str());
  std::fflush(stdout);
  return {};
}

Result<ApiOptions> ApiOptionsOf(const Options& options, const Tls& tls) {
  ApiOptions api{.artifacts = options.artifacts,
                 .service_name = options.framework_name,
                 .uninstall = options.uninstall,
                 .tokens = options.tokens,
                 .rate_limit = options.rate_limit,
                 .tls = tls.server,
                 .agent_tls = tls.clients};
  if (!options.tokens.empty()) {
    KILN_TRY(api.job_key, OpenKey(options.key));
  }
  return api;
}

// Reads the tokens file again when it is another one, or at SIGHUP.
struct TokensWatch {
  net::Handle every;
  net::Handle hangup;
};

TokensWatch WatchTokens(net::Loop& loop, const Options& options, Api& api) {
  if (options.tokens_file.empty()) return {};
  const auto file = std::make_shared<TokensFile>(options.tokens_file);
  const auto read = [file, &api] {
    auto tokens = file->Read();
    if (!tokens) return LogError("{}: the tokens of before stay", tokens.error().message);
    LogInfo("{} tokens are read", tokens->size());
    api.SetTokens(*std::move(tokens));
  };
  read();  // it may be another one than when this process began
  return {loop.Every(kTokensPause,
                     [file, read] {
                       if (file->Changed()) read();
                     }),
          loop.OnSignal(SIGHUP, read)};
}

// Works the loop until this scheduler leads, or somebody stops it.
Result<std::unique_ptr<Leadership>> StandBy(net::Loop& loop, const Options& options,
                                            net::Listener listener, ApiOptions api_options,
                                            std::function<void(const Error&)> deposed) {
  std::unique_ptr<Leadership> leadership;
  Standby standby(loop, FollowZookeeperStore(*options.state_nodes), options.topology,
                  [&leadership] { return leadership->LeaderUrl(); });
  api_options.uninstall = false;
  api_options.before = [&standby](const net::Request& head, const Route* route) {
    return standby.Before(head, route);
  };
  api_options.after = [&standby](const net::Request& request, net::Response& response) {
    standby.After(request, response);
  };
  KILN_TRY(const auto api, Api::Serve(loop, std::move(listener), standby, std::move(api_options)));
  const TokensWatch tokens = WatchTokens(loop, options, *api);
  const std::string address = Reachable(options, api->port());
  KILN_TRY(leadership,
           Leadership::Open(loop, *options.state_nodes, Scheme(options) + address,
                            options.listen_host, {[&loop] { loop.Stop(); }, std::move(deposed)}));
  KILN_TRY_OK(Announce(options, address));
  loop.Run();
  return leadership;
}

Result<std::unique_ptr<Store>> OpenStore(const Options& options, const Leadership* leadership) {
  if (leadership) return OpenZookeeperStore(*options.state_nodes, {}, leadership->seat());
  return OpenSqliteStore(options.state);
}

Result<int> Run(const Options& options) {
  KILN_TRY_OK(FindPolicy(options.policy));
  for (const std::string& role : options.roles) KILN_TRY_OK(CheckRoleName("--role", role));
  KILN_TRY(const Tls tls, OpenTls(options));
  // Nothing is made before the address is known to be free.
  KILN_TRY(net::Listener listener, net::Listener::Open(options.listen_host, options.listen_port));
  net::Loop loop;
  // Whoever is told the address may end it at once.
  bool stopped = false;
  const auto stop = [&] {
    stopped = true;
    loop.Stop();
  };
  const net::Handle terminate = loop.OnSignal(SIGTERM, stop);
  const net::Handle interrupt = loop.OnSignal(SIGINT, stop);
  int code = kOk;
  bool deposed = false;
  const auto fail = [&](const Error& error) {
    code = Failed(error);
    loop.Stop();
  };
  KILN_TRY(const ApiOptions api_options, ApiOptionsOf(options, tls));
  std::unique_ptr<Leadership> leadership;
  if (options.state_nodes) {
    KILN_TRY(leadership,
             StandBy(loop, options, listener.Again(), api_options, [&](const Error& error) {
               deposed = true;
               fail(error);
             }));
    if (stopped || deposed) return code;
  }
  KILN_TRY(std::unique_ptr<Store> store, OpenStore(options, leadership.get()));
  KILN_TRY(const std::unique_ptr<Scheduler> scheduler,
           Scheduler::Open(net::World(loop, tls.clients), options, std::move(store)));
  scheduler->SetJobKey(api_options.job_key);
  scheduler->OnFatal(fail);
  KILN_TRY(const auto api, Api::Serve(loop, std::move(listener), *scheduler, api_options));
  const TokensWatch tokens = WatchTokens(loop, options, *api);
  const std::string address = Reachable(options, api->port());
  scheduler->SetApiUrl(Scheme(options) + address, tls.authority);
  if (!leadership) KILN_TRY_OK(Announce(options, address));

  scheduler->Start();
  loop.Run();
  // What is pending is for the scheduler to decide that leads.
  if (!deposed) scheduler->Stop();
  return code;
}

int Main(int argc, char** argv) {
  StartLog("kiln-scheduler");
  signal(SIGPIPE, SIG_IGN);
  RaiseDescriptorLimit();
  const auto parsed = ParseOptions(argc, argv);
  if (!parsed) return Failed(parsed.error());
  if (!parsed->help.empty()) {
    std::fputs(parsed->help.c_str(), stdout);
    return kOk;
  }
  const auto code = Run(parsed->options);
  return code ? *code : Failed(code.error());
}

}  // namespace
}  // namespace kiln::scheduler

int main(int argc, char** argv) { return kiln::scheduler::Main(argc, argv); }
