#include "scheduler/daemon/options.h"

#include <arpa/inet.h>
#include <pwd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <filesystem>

#include "base/file.h"
#include "base/nearest.h"
#include "model/units.h"
#include "scheduler/daemon/private_file.h"
#include "scheduler/daemon/tokens_file.h"
#include "wire/net/http.h"
#include "wire/rest/role_codec.h"

namespace kiln::scheduler {
namespace {

constexpr double kRateLimit = 100;

// The arguments as they are written.
struct Texts {
  std::string masters;
  std::string listen = "127.0.0.1:0";
  std::string failover_timeout = "14d";
  std::string encoding = "protobuf";
  std::string hold = "30s";
  std::string unreachable_wait = "1min";
  std::string executor_idle = "1min";
  std::string quarantine = "2min";
  std::string topology;
  std::string preempt = "both";
  std::string min_run = "1min";
  std::string secret_file;
  std::string service_account;
  std::string roles_file;
  bool no_auth = false;
  std::vector<std::string> roles;
};

std::string CurrentUser() {
  const passwd* entry = getpwuid(geteuid());
  return entry == nullptr ? "root" : entry->pw_name;
}

std::string BesideThisProgram(const char* name) {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  return (self.parent_path() / name).string();
}

// Who may do what, who this is, and what nobody else may read.
void DeclareSecurity(CLI::App& app, Options& options, Texts& texts) {
  app.add_flag("--mesos-tls", options.mesos_tls,
               "masters that ZooKeeper names, and agents, speak TLS (as https:// masters do)");
  app.add_option("--ca-file", options.ca_file,
                 "PEM certificates that vouch for masters, agents and the API (the system's)");
  app.add_option("--tls-cert", options.server_tls.certificate,
                 "PEM certificate of the API, which speaks https then; also shown to masters");
  app.add_option("--tls-key", options.server_tls.key, "PEM key of --tls-cert");
  app.add_option("--tokens-file", options.tokens_file,
                 "file of who may use the API, with lines of ACCESS NAME TOKEN; access is view, "
                 "submit or admin");
  app.add_option("--rate-limit", options.rate_limit,
                 "requests a second of each token, or address where there are none; 0: any number "
                 "(100 with --tokens-file, else 0)")
      ->check(CLI::NonNegativeNumber);
  app.add_flag("--no-auth", texts.no_auth,
               "ask nobody for a token, also where others than this machine reach the API");
  app.add_option("--principal", options.principal, "principal of the framework");
  app.add_option("--secret-file", texts.secret_file, "file with the principal's secret");
  app.add_option("--service-account", texts.service_account,
                 "file with the secret of a DC/OS service account, by which the framework logs in "
                 "(DCOS_SERVICE_ACCOUNT_CREDENTIAL, the file or what is in it)");
  app.add_option("--secrets-dir", options.secrets,
                 "folder of secrets that jobs may name, a file each that others cannot read");
}

void Declare(CLI::App& app, Options& options, Texts& texts) {
  app.add_option(
         "--master", texts.masters,
         "HOST:PORT or https://HOST:PORT of a Mesos master, several with commas; or where masters "
         "say who leads: "
         "zk://[USER:PASSWORD@]HOST:PORT,HOST:PORT/PATH; or file:///PATH of one of these")
      ->required();
  app.add_option("--listen", texts.listen, "HOST:PORT of the REST API; port 0 is a free one");
  app.add_option("--advertise", options.advertise,
                 "HOST:PORT under which agents and people reach the API");
  app.add_option("--state", options.state,
                 "file of the state, made if it is not there; or nodes of ZooKeeper: "
                 "zk://[USER:PASSWORD@]HOST:PORT,HOST:PORT/PATH; or file:///PATH of these")
      ->required();
  app.add_option("--artifacts", options.artifacts, "folder of the artifacts (STATE.artifacts)");
  app.add_option("--role", texts.roles, "Mesos role; may be given several times (*)");
  app.add_option("--roles-file", texts.roles_file,
                 "YAML or JSON file with weights, quotas and limits of roles");
  app.add_option("--framework-name", options.framework_name, "name of the framework (kiln)");
  app.add_option("--user", options.user, "user that executors run as (the current one)");
  app.add_option("--webui-url", options.webui_url, "URL of the service (the API's address)");
  app.add_option("--failover-timeout", texts.failover_timeout,
                 "how long tasks outlive the scheduler (14d)");
  app.add_option("--encoding", texts.encoding, "protobuf or json (protobuf)");
  app.add_option("--placement", options.policy,
                 "placement policy: fill, fgd, pack or spread (fill)");
  app.add_option("--topology", texts.topology,
                 "levels that agents stand in, from the widest to that above the host: region, "
                 "zone and attributes (region,zone,rack,switch)");
  app.add_option("--hold", texts.hold, "how long offers are held for a gang (30s)");
  app.add_option("--unreachable-wait", texts.unreachable_wait,
                 "when a task on an agent that is cut off is replaced (1min)");
  app.add_option("--executor-idle", texts.executor_idle,
                 "when a shared executor without tasks is shut down (1min)");
  app.add_option("--quarantine", texts.quarantine,
                 "how long an agent that fails work gets none at first; 0s: none is judged (2min)");
  app.add_option("--preempt", texts.preempt,
                 "who may have others evicted: priority, quota, both or none (both)");
  app.add_flag("--move", options.preemption.move,
               "work that touches $KILN_CHECKPOINT moves to another agent when a gang, or a larger "
               "member, then fits and would lose more by waiting (off)");
  app.add_option("--min-run", texts.min_run,
                 "nobody is evicted who runs for less; doubles with each eviction (1min)");
  app.add_option("--evictions", options.preemption.evictions_max,
                 "how often a job may have others evicted within 10min (3)")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--executor", options.executor,
                 "path of kiln-executor on the agents (beside this program)");
  app.add_option("--executor-uri", options.executor_uri, "where agents fetch kiln-executor from");
  app.add_option("--address-file", options.address_file,
                 "file that gets the API's HOST:PORT once it listens");
  app.add_flag("--uninstall", options.uninstall, "tear everything down");
  DeclareSecurity(app, options, texts);
}

Result<Duration> Time(const char* flag, const std::string& text) {
  auto duration = ParseDuration(text);
  if (!duration) return Failure(Within(flag, duration.error()));
  return duration;
}

Result<RoleSettings> ReadRoles(const std::string& path) {
  const auto text = ReadFile(path);
  if (!text) return Fail(ErrorCode::kInvalidArgument, "--roles-file: {}", text.error().message);
  auto roles = wire::DecodeRoles(*text);
  if (roles) return roles;
  const Error& error = roles.error();
  return Fail(ErrorCode::kInvalidArgument, "--roles-file {}: {}{}{}", path, error.field,
              error.field.empty() ? "" : ": ", error.message);
}

// 127.0.0.0/8, and the names of this machine to itself.
bool IsLoopback(const std::string& host) {
  in_addr address{};
  if (inet_pton(AF_INET, host.c_str(), &address) == 1) return ntohl(address.s_addr) >> 24 == 127;
  return host == "localhost" || host == "::1" || host == "[::1]";
}

Status ReadAccess(const Texts& texts, Options& options) {
  if (options.rate_limit < 0) options.rate_limit = options.tokens_file.empty() ? 0 : kRateLimit;
  if (texts.no_auth && !options.tokens_file.empty()) {
    return Fail(ErrorCode::kInvalidArgument,
                "--no-auth is given with --tokens-file: expected one of them");
  }
  if (!options.tokens_file.empty()) {
    KILN_TRY(options.tokens, TokensFile(options.tokens_file).Read());
  } else if (!texts.no_auth && !IsLoopback(options.listen_host)) {
    return Fail(ErrorCode::kInvalidArgument,
                "--listen is {}, where others can submit work: expected --tokens-file with those "
                "who may, or --no-auth where something in front asks them",
                texts.listen);
  }
  return {};
}

std::vector<std::string> Split(const std::string& text) {
  std::vector<std::string> parts;
  std::stringstream stream(text);
  for (std::string one; std::getline(stream, one, ',');) parts.push_back(one);
  return parts;
}

// Of an address that the command line shall not show: "file:///PATH" is replaced by what is in it.
Result<std::string> ReadAddress(const char* flag, const std::string& text) {
  constexpr std::string_view kFile = "file://";
  if (!text.starts_with(kFile)) return text;
  const auto content = ReadFile(text.substr(kFile.size()));
  if (!content) {
    return Fail(ErrorCode::kInvalidArgument, "{}: {}", flag, content.error().message);
  }
  return content->substr(0, content->find_last_not_of(" \r\n") + 1);
}

Status ReadState(Options& options) {
  KILN_TRY(options.state, ReadAddress("--state", options.state));
  if (!wire::IsZookeeperAddress(options.state)) {
    if (options.artifacts.empty()) options.artifacts = options.state + ".artifacts";
    options.key = options.state + ".key";
    return {};
  }
  auto address = wire::ParseZookeeperAddress(std::exchange(options.state, ""));
  if (!address) return Failure(Within("--state", address.error()));
  if (options.artifacts.empty()) {
    return Fail(ErrorCode::kInvalidArgument,
                "--state is {}: expected --artifacts with a folder for what ZooKeeper is too small "
                "for",
                address->Text());
  }
  options.state_nodes = *std::move(address);
  options.key = options.artifacts + ".key";
  return {};
}

// HOST:PORT, or a URL with what stands before the paths of the API.
Result<net::Url> ReadMaster(const std::string& text) {
  const size_t end = text.find("://");
  const std::string scheme = text.substr(0, end == text.npos ? 0 : end);
  if (!scheme.empty() && scheme != "http" && scheme != "https") {
    return Fail(ErrorCode::kInvalidArgument,
                "--master: scheme is \"{}\": expected HOST:PORT, https://HOST:PORT or "
                "zk://HOST:PORT,HOST:PORT/PATH",
                scheme);
  }
  auto url = scheme.empty() ? net::ParseHostPort(text) : net::ParseUrl(text);
  if (!url) return Failure(Within("--master", url.error()));
  while (url->target.size() > 1 && url->target.ends_with('/')) url->target.pop_back();
  return url;
}

// Who can read the key can be the API.
Status CheckTls(const net::TlsServerOptions& tls) {
  if (tls.certificate.empty() != tls.key.empty()) {
    return Fail(ErrorCode::kInvalidArgument, "{} is given alone: expected {} with it",
                tls.key.empty() ? "--tls-cert" : "--tls-key",
                tls.key.empty() ? "--tls-key" : "--tls-cert");
  }
  if (tls.key.empty()) return {};
  if (auto key = ReadPrivateFile(tls.key); !key) {
    return Fail(ErrorCode::kInvalidArgument, "--tls-key: {}", key.error().message);
  }
  return {};
}

Status ReadMasters(const std::string& given, Options& options) {
  KILN_TRY(const std::string text, ReadAddress("--master", given));
  if (wire::IsZookeeperAddress(text)) {
    auto address = wire::ParseZookeeperAddress(text);
    if (!address) return Failure(Within("--master", address.error()));
    options.detection = *std::move(address);
    return {};
  }
  for (const std::string& one : Split(text)) {
    KILN_TRY(const net::Url url, ReadMaster(one));
    options.mesos_tls = options.mesos_tls || url.secure;
    options.masters.push_back((url.secure ? url.Origin() : url.Authority()) +
                              url.target.substr(url.target == "/"));
  }
  return {};
}

Status ReadSecret(const Texts& texts, Options& options) {
  if (texts.secret_file.empty()) return {};
  auto secret = ReadFile(texts.secret_file);
  if (!secret) {
    return Fail(ErrorCode::kInvalidArgument, "--secret-file: {}", secret.error().message);
  }
  options.secret = secret->substr(0, secret->find_last_not_of("\r\n") + 1);
  if (options.principal.empty()) {
    return Fail(ErrorCode::kInvalidArgument, "--secret-file is given without --principal");
  }
  return {};
}

// Of a file, or as DC/OS's own schedulers get it: in the environment, itself or its file.
Status ReadServiceAccount(const std::string& file, Options& options) {
  const char* variable = std::getenv("DCOS_SERVICE_ACCOUNT_CREDENTIAL");
  const std::string given = file.empty() && variable != nullptr ? variable : file;
  if (given.empty()) return {};
  const char* name = file.empty() ? "DCOS_SERVICE_ACCOUNT_CREDENTIAL" : "--service-account";
  const bool itself = file.empty() && given.find('{') != std::string::npos;
  const auto text = itself ? Result<std::string>(given)
                           : ReadFile(given.starts_with("file://") ? given.substr(7) : given);
  if (!text) return Fail(ErrorCode::kInvalidArgument, "{}: {}", name, text.error().message);
  auto account = ParseServiceAccount(*text);
  if (!account) return Failure(Within(name, account.error()));
  if (!options.secret.empty()) {
    return Fail(ErrorCode::kInvalidArgument, "{} is given with --secret-file: expected one of them",
                name);
  }
  if (!options.principal.empty() && options.principal != account->uid) {
    return Fail(ErrorCode::kInvalidArgument,
                "--principal is {}: expected none or {}, the uid of the service account",
                options.principal, account->uid);
  }
  options.principal = account->uid;
  options.service_account = *std::move(account);
  return {};
}

Status Read(const Texts& texts, Options& options) {
  KILN_TRY_OK(ReadMasters(texts.masters, options));
  KILN_TRY_OK(CheckTls(options.server_tls));
  KILN_TRY_OK(ReadState(options));
  if (!texts.topology.empty()) options.topology = Split(texts.topology);
  if (const Status known = CheckLevels(options.topology); !known) {
    return Failure(Within("--topology", known.error()));
  }
  auto listen = net::ParseHostPort(texts.listen);
  if (!listen) return Failure(Within("--listen", listen.error()));
  options.listen_host = listen->host;
  options.listen_port = listen->port;
  KILN_TRY_OK(ReadAccess(texts, options));
  if (!texts.roles.empty()) options.roles = texts.roles;
  if (!texts.roles_file.empty()) {
    KILN_TRY(options.sharing, ReadRoles(texts.roles_file));
  }
  KILN_TRY(options.failover_timeout, Time("--failover-timeout", texts.failover_timeout));
  if (options.failover_timeout <= Duration(0)) {
    return Fail(ErrorCode::kInvalidArgument,
                "--failover-timeout is {}: expected more, as tasks have to outlive a restart",
                texts.failover_timeout);
  }
  KILN_TRY(options.hold, Time("--hold", texts.hold));
  KILN_TRY(options.unreachable_wait, Time("--unreachable-wait", texts.unreachable_wait));
  KILN_TRY(options.executor_idle, Time("--executor-idle", texts.executor_idle));
  KILN_TRY(options.quarantine, Time("--quarantine", texts.quarantine));
  KILN_TRY(options.preemption.min_run, Time("--min-run", texts.min_run));
  const auto one_of = [&](const char* one) {
    return texts.preempt == one || texts.preempt == "both";
  };
  options.preemption.by_priority = one_of("priority");
  options.preemption.by_quota = one_of("quota");
  if (!one_of("priority") && !one_of("quota") && texts.preempt != "none") {
    return Fail(ErrorCode::kInvalidArgument,
                "--preempt is \"{}\", expected priority, quota, both or none", texts.preempt);
  }
  if (texts.encoding == "json") {
    options.encoding = wire::Encoding::kJson;
  } else if (texts.encoding != "protobuf") {
    return Fail(ErrorCode::kInvalidArgument, "--encoding is \"{}\", expected protobuf or json",
                texts.encoding);
  }
  KILN_TRY_OK(ReadSecret(texts, options));
  KILN_TRY_OK(ReadServiceAccount(texts.service_account, options));
  if (options.user.empty()) options.user = CurrentUser();
  if (options.executor.empty()) options.executor = BesideThisProgram("kiln-executor");
  return {};
}

// Of an argument that no option takes, also where others are missing.
Status CheckLeft(const CLI::App& app) {
  const std::vector<std::string> left = app.remaining();
  if (left.empty()) return {};
  if (!left[0].starts_with('-')) {
    return Fail(ErrorCode::kInvalidArgument, "argument \"{}\" is one too many: expected options",
                left[0]);
  }
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  const std::string nearest = NearestName(left[0].substr(0, left[0].find('=')), names);
  return Fail(ErrorCode::kInvalidArgument, "option is \"{}\": expected {}", left[0],
              nearest.empty() ? "one that --help shows" : nearest);
}

}  // namespace

Result<Parsed> ParseOptions(int argc, char** argv) {
  Parsed parsed;
  Texts texts;
  CLI::App app("Schedules machine learning on Apache Mesos.", "kiln-scheduler");
  Declare(app, parsed.options, texts);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    parsed.help = app.help();
    return parsed;
  } catch (const CLI::ParseError& error) {
    KILN_TRY_OK(CheckLeft(app));
    return Fail(ErrorCode::kInvalidArgument, "{}", error.what());
  }
  KILN_TRY_OK(Read(texts, parsed.options));
  return parsed;
}

}  // namespace kiln::scheduler
