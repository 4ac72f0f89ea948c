// An agent on loopback: its HTTP endpoints, its executors and their sandboxes, its memory on disk.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "local/cluster/agent.h"
#include "local/node/agent_checkpoint.h"
#include "local/node/agent_flags.h"
#include "local/node/container.h"
#include "local/node/files.h"
#include "wire/mesos/json.h"
#include "wire/net/loop.h"
#include "wire/net/server.h"

namespace kiln::local {

struct AgentNodeOptions {
  std::string host = "127.0.0.1";
  int port = 0;                                // 0: a free one
  std::shared_ptr<const net::TlsContext> tls;  // none: it is plain
  std::string
      work_dir;  // sandboxes and memory; the agent goes on from what a former one left there
  AgentFlags flags;
};

// Threads: the loop's alone. Callbacks come on the loop, never inside a call.
// Destroying it ends the agent as kill -9 does: its executors live on.
class AgentNode {
 public:
  struct Callbacks {
    std::function<void(AgentToMaster message)> to_master;
    // The agent has left in order; nothing comes behind it.
    std::function<void()> exited;
  };
  static Result<std::unique_ptr<AgentNode>> Start(net::Loop& loop, AgentNodeOptions options,
                                                  Callbacks callbacks);
  ~AgentNode();

  int port() const { return server_->port(); }
  const std::string& pid() const { return agent_->options().pid; }  // "slave(1)@127.0.0.1:5051"

  void FromMaster(MasterToAgent message);
  // As SIGUSR1 does: the master is told, executors are ended, then `exited`.
  void ShutDown();
  // As SIGSTOP and SIGCONT do: what comes meanwhile waits.
  void Freeze();
  void Thaw();
  // What the agent lends.
  void TakeBack();

 private:
  struct Stream {
    std::shared_ptr<net::Exchange> exchange;
    wire::Encoding encoding = wire::Encoding::kJson;
  };

  AgentNode(net::Loop& loop, AgentNodeOptions options, Callbacks callbacks);
  void Begin();
  void Recover(RecoveredAgent state);
  // Runs it at once, or when the agent is thawed.
  void Do(std::function<void()> input);
  void Perform();
  void Reschedule();

  void Act(SendToMaster& action);
  void Act(LaunchContainer& action);
  void Act(UpdateContainer& action);
  void Act(DestroyContainer& action);
  void Act(SendEvent& action);
  void Act(CloseStream& action);
  void Act(ForgetAgent& action);
  void Act(Exit& action);
  template <typename Saved>
  void Act(Saved& action) {
    checkpoint_.Save(action);
  }
  Result<ContainerSpec> SpecOf(const LaunchContainer& action) const;
  CgroupLimits LimitsOf(const ContainerShare& share) const;
  // Volumes appear in the sandbox under their container path.
  Status LinkVolumes(const std::string& sandbox, const std::vector<mesos::v1::Resource>& volumes,
                     const std::optional<std::string>& user) const;
  std::string AgentFolder() const;
  std::string SandboxOf(const RunKey& key) const;
  std::string ExecutorProgram() const;

  // endpoints: agent_endpoints.cc
  void Serve(const std::shared_ptr<net::Exchange>& exchange);
  void ServeExecutor(const std::shared_ptr<net::Exchange>& exchange);
  void ServeOperator(const std::shared_ptr<net::Exchange>& exchange);
  net::Response ServeEndpoint(const net::Request& request, const std::string& path);
  net::Response ServeFiles(const net::Request& request, const std::string& endpoint);
  void ServeDownload(const std::shared_ptr<net::Exchange>& exchange);
  net::Response ServeRead(const net::Request& request, const std::string& path);
  std::optional<net::Response> Answer(const mesos::v1::agent::Call& call,
                                      mesos::v1::agent::Response& response);
  std::optional<net::Response> AnswerFiles(const mesos::v1::agent::Call& call,
                                           mesos::v1::agent::Response& response);
  mesos::v1::agent::Response::GetContainers GetContainers() const;
  void Respond(const std::shared_ptr<net::Exchange>& exchange, net::Response response);

  net::Loop& loop_;
  AgentNodeOptions options_;
  Callbacks callbacks_;
  AgentCheckpoint checkpoint_;
  std::unique_ptr<net::Server> server_;
  std::unique_ptr<Agent> agent_;
  std::unique_ptr<Containers> containers_;
  Instant started_;
  bool frozen_ = false;
  bool performing_ = false;
  std::vector<std::function<void()>> waiting_;  // while frozen
  uint64_t next_stream_ = 1;
  std::map<uint64_t, Stream> streams_;
  net::Handle timer_;
  Instant scheduled_;
  net::Handle heartbeat_;
  // Messages on their way are lost with the agent.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace kiln::local
