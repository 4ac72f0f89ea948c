#include "tests/integration/cluster.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <fstream>

#include "wire/net/client.h"

namespace kiln::integration {
namespace {

using wire::Json;

constexpr std::chrono::seconds kStart(20);

// The last whole line of a file that is a JSON object.
std::optional<Json> ReadyLine(const std::string& path) {
  std::ifstream in(path);
  std::optional<Json> ready;
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with("{")) continue;
    if (auto json = wire::ParseJson(line)) ready = *json;
  }
  return ready;
}

bool Alive(int status) { return status > 0 && status < 500; }

}  // namespace

std::string Program(const std::string& name) { return std::string(KILN_PROGRAMS) + "/" + name; }

Reply Ask(const std::string& method, const std::string& url, const std::string& body,
          const std::string& token, const std::shared_ptr<const net::TlsContext>& tls) {
  net::Request request{.method = method, .body = body};
  if (!token.empty()) request.headers.Set("Authorization", "Bearer " + token);
  if (!body.empty()) request.headers.Set("Content-Type", "application/json");
  const auto response = net::Fetch(url, request, {.timeout = std::chrono::seconds(10), .tls = tls});
  if (!response) return {0, nullptr, response.error().message};
  Reply reply{response->status, nullptr, response->body};
  if (auto json = wire::ParseJson(reply.body)) reply.json = *json;
  return reply;
}

Cluster::Cluster(Options options) : options_(std::move(options)) {
  if (!options_.ca_file.empty()) tls_ = *net::TlsContext::ForClients({.ca_file = options_.ca_file});
  StartLocal();
  StartScheduler();
}

Cluster::~Cluster() {
  if (scheduler_) scheduler_->Stop();
  if (local_) local_->Stop(std::chrono::seconds(15));
  for (const pid_t pid : Executors()) kill(pid, SIGKILL);
}

void Cluster::StartLocal() {
  const std::string output = folder_.File("local.log");
  std::ofstream(output, std::ios::trunc).flush();
  std::vector<std::string> argv = {Program("kiln-local"), "--port=" + std::to_string(master_port_),
                                   "--work_dir=" + folder_.File("local")};
  argv.insert(argv.end(), options_.local_flags.begin(), options_.local_flags.end());
  for (int i = 0; i < options_.agents; ++i) {
    Json flags = {"--resources=" + options_.resources, "--hostname=agent" + std::to_string(i + 1)};
    if (!agent_ports_.empty())
      flags.push_back("--port=" + std::to_string(agent_ports_[static_cast<size_t>(i)]));
    const Json ssl = {{"LIBPROCESS_SSL_ENABLED", "1"},
                      {"LIBPROCESS_SSL_VERIFY_SERVER_CERT", "1"},
                      {"LIBPROCESS_SSL_CA_FILE", options_.ca_file}};
    if (tls_) flags.push_back("--executor_environment_variables=" + wire::DumpJson(ssl));
    argv.push_back("--agent=" + wire::DumpJson({{"flags", flags}, {"start", true}}));
  }
  std::map<std::string, std::string> environment;
  if (tls_) {
    environment = {{"LIBPROCESS_SSL_ENABLED", "1"},
                   {"LIBPROCESS_SSL_CERT_FILE", options_.tls.certificate},
                   {"LIBPROCESS_SSL_KEY_FILE", options_.tls.key}};
  }
  local_ = *support::Process::Start({argv, output, environment});
  std::optional<Json> ready;
  ASSERT_TRUE(support::Eventually([&] { return (ready = ReadyLine(output)).has_value(); }, kStart))
      << Logs();
  master_port_ = ready->at("master");
  agent_ports_ = ready->at("agents").get<std::vector<int>>();
}

void Cluster::StartScheduler(const std::vector<std::string>& flags) {
  // The first start takes a free port; later ones take the same, as a service would.
  const std::string output = folder_.File("scheduler.log");
  const std::string listen = api_.empty() ? "127.0.0.1:0" : api_.substr(api_.find("//") + 2);
  std::vector<std::string> argv = {
      Program("kiln-scheduler"),
      "--master=" + (options_.master.empty() ? master() : options_.master),
      "--listen=" + listen,
      "--state=" + (options_.state.empty() ? folder_.File("state.db") : options_.state),
      "--executor=" + Program("kiln-executor"),
      "--address-file=" + folder_.File("scheduler.address")};
  if (tls_) {
    argv.insert(argv.end(),
                {"--ca-file=" + options_.ca_file, "--tls-cert=" + options_.tls.certificate,
                 "--tls-key=" + options_.tls.key});
  }
  argv.insert(argv.end(), options_.scheduler_flags.begin(), options_.scheduler_flags.end());
  argv.insert(argv.end(), flags.begin(), flags.end());
  std::filesystem::remove(folder_.File("scheduler.address"));
  scheduler_ = *support::Process::Start({argv, output, {}});
  std::string address;
  ASSERT_TRUE(support::Eventually(
      [&] { return !(address = support::ReadFile(folder_.File("scheduler.address"))).empty(); },
      kStart))
      << Logs();
  // Commands that run meanwhile read it.
  if (api_.empty()) api_ = (tls_ ? "" : "http://") + address.substr(0, address.find('\n'));
  ASSERT_TRUE(support::Eventually([&] { return Alive(Api("GET", "/v1/health").status); }, kStart))
      << Logs();
}

void Cluster::KillScheduler() {
  scheduler_->Signal(SIGKILL);
  ASSERT_TRUE(scheduler_->Wait(std::chrono::seconds(10)));
}

void Cluster::KillLocal() {
  local_->Signal(SIGKILL);
  ASSERT_TRUE(local_->Wait(std::chrono::seconds(10)));
}

void Cluster::Inject(const std::string& fault, const std::string& target) {
  const Reply reply = Ask("POST", master() + "/kiln/fault",
                          wire::DumpJson({{"fault", fault}, {"target", target}}), "", tls_);
  ASSERT_EQ(reply.status, 200) << reply.body;
}

support::RunOutcome Cluster::Kiln(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), Program("kiln"));
  return support::RunProgram(
      arguments,
      {{"KILN_API", api_}, {"KILN_TOKEN", options_.token}, {"KILN_CA_FILE", options_.ca_file}},
      std::chrono::seconds(90));
}

std::vector<pid_t> Cluster::Executors(const std::string& job) const {
  std::vector<pid_t> pids;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    const std::string environment = support::ReadFile(entry.path() / "environ");
    const std::string command = support::ReadFile(entry.path() / "comm");
    const std::string id = job.empty() ? "" : "MESOS_EXECUTOR_ID=" + job + ".";
    if (environment.find("MESOS_DIRECTORY=" + folder_.path().string()) != std::string::npos &&
        environment.find(id) != std::string::npos && command == "kiln-executor\n")
      pids.push_back(std::stoi(name));
  }
  return pids;
}

std::vector<Json> Cluster::Tasks(const std::string& job) {
  const Reply reply = Api("GET", "/v1/jobs/" + job + "/tasks");
  if (reply.status != 200) return {};
  return reply.json.at("tasks").get<std::vector<Json>>();
}

bool Cluster::Reaches(const std::string& job, const std::string& phase,
                      std::chrono::milliseconds deadline) {
  std::string now;
  const bool ended = support::Eventually(
      [&] {
        const Json json = Job(job);
        if (json.is_object() && json.contains("phase")) now = json.at("phase");
        return now == phase || now == "SUCCEEDED" || now == "FAILED" || now == "KILLED";
      },
      deadline);
  return ended && now == phase;
}

std::vector<std::string> Cluster::Endpoints(const std::string& job) {
  std::vector<std::string> addresses;
  const Reply reply = Api("GET", "/v1/endpoints");
  if (reply.status != 200) return addresses;
  for (const Json& endpoint : reply.json.at("endpoints")) {
    const Json& healthy = endpoint.at("healthy");
    if (endpoint.at("job") == job && endpoint.at("state") == "TASK_RUNNING" &&
        (healthy.is_null() || healthy))
      addresses.push_back(endpoint.at("address"));
  }
  return addresses;
}

std::string Cluster::Logs() const {
  std::string text;
  for (const char* name : {"local.log", "scheduler.log"}) {
    const std::string log = support::ReadFile(folder_.File(name));
    text += std::string("--- ") + name + "\n" +
            log.substr(log.size() - std::min<size_t>(log.size(), 8000));
  }
  return text;
}

}  // namespace kiln::integration
