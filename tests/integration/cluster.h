// A whole Kiln on loopback: a local Mesos, a scheduler and their executors as real processes, on
// ports of their own.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "tests/support/process.h"
#include "wire/net/tls.h"
#include "wire/rest/json.h"

namespace kiln::integration {

struct Reply {
  int status = 0;
  wire::Json json;  // null when the body is none
  std::string body;
};

// The path of one of Kiln's programs as it was built.
std::string Program(const std::string& name);

// One HTTP request to any address; status 0 when nobody answers.
Reply Ask(const std::string& method, const std::string& url, const std::string& body = "",
          const std::string& token = "",
          const std::shared_ptr<const net::TlsContext>& tls = nullptr);

// Threads: one. Destruction ends all processes.
class Cluster {
 public:
  struct Options {
    int agents = 4;
    std::string resources = "cpus:4;mem:4096;disk:4096;ports:[31000-32000]";
    std::vector<std::string> scheduler_flags;
    std::vector<std::string> local_flags = {};
    std::string token;               // that Api and Kiln show; empty: none
    std::string master;              // the scheduler's --master; empty: the local one
    std::string state;               // the scheduler's file; empty: one in the cluster's folder
    std::string ca_file;             // vouches for all of them, who speak TLS then
    net::TlsServerOptions tls = {};  // what they all show
  };

  explicit Cluster(Options options);
  Cluster() : Cluster(Options()) {}
  ~Cluster();

  Reply Api(const std::string& method, const std::string& path, const std::string& body = "") {
    return Ask(method, api_ + path, body, options_.token, tls_);
  }
  // The `kiln` command with the address of this cluster's API.
  support::RunOutcome Kiln(std::vector<std::string> arguments);

  // A fault of the local Mesos: kill_agent agent1 and so on.
  void Inject(const std::string& fault, const std::string& target);

  void KillScheduler();   // SIGKILL
  // On the same state and port, with these flags too.
  void StartScheduler(const std::vector<std::string>& flags = {});
  void KillLocal();       // SIGKILL of master and agents; executors live on
  void StartLocal();      // on the same folder and ports
  // Executors that live now, of one job or of all: pids whose environment says so.
  std::vector<pid_t> Executors(const std::string& job = "") const;

  wire::Json Job(const std::string& name) { return Api("GET", "/v1/jobs/" + name).json; }
  std::vector<wire::Json> Tasks(const std::string& job);
  // Waits until the job has this phase; false after the deadline or when it ended otherwise.
  bool Reaches(const std::string& job, const std::string& phase,
               std::chrono::milliseconds deadline = std::chrono::seconds(60));
  // The addresses of running, healthy endpoints of a job.
  std::vector<std::string> Endpoints(const std::string& job);

  const std::string& api() const { return api_; }
  std::string master() const {
    return (tls_ ? "https://127.0.0.1:" : "http://127.0.0.1:") + std::to_string(master_port_);
  }
  pid_t scheduler_pid() const { return scheduler_->pid(); }
  pid_t local_pid() const { return local_->pid(); }
  std::string Logs() const;  // of everything, for a failed test
  const std::filesystem::path& folder() const { return folder_.path(); }

 private:
  support::TempFolder folder_;
  Options options_;
  int master_port_ = 0;
  std::vector<int> agent_ports_;
  std::string api_;
  std::shared_ptr<const net::TlsContext> tls_;  // that of the test; none: all is plain
  std::optional<support::Process> local_;
  std::optional<support::Process> scheduler_;
};

}  // namespace kiln::integration
