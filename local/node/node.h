// A Mesos in one process: a master and its agents on loopback, each with its own HTTP port, on one
// event loop. This is `kiln local`, and what tests start.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "wire/net/tls.h"

namespace kiln::net {
class Loop;
}

namespace kiln::local {

struct NodeAgent {
  std::vector<std::string> flags;  // in the form of a Mesos agent: "--resources=cpus:4;mem:1024"
  bool start = true;               // false: a fault starts it later
};

struct NodeOptions {
  std::string host = "127.0.0.1";
  int port = 5050;                        // of the master; 0: a free one
  net::TlsServerOptions tls;              // of all; without a certificate they are plain
  std::string work_dir;                   // the registry, and a folder for each agent
  std::vector<std::string> master_flags;  // in the form of a Mesos master
  std::vector<NodeAgent> agents;
};

// Threads: the loop's alone. Owner: whoever owns the loop, which outlives the node.
// Destroying it ends all agents as kill -9 does: checkpointed executors live on for the next node
// at the same work_dir.
class Node {
 public:
  // kInvalidArgument names a wrong flag; kUnavailable a port that cannot be had.
  static Result<std::unique_ptr<Node>> Start(net::Loop& loop, NodeOptions options);
  virtual ~Node() = default;

  virtual int master_port() const = 0;
  virtual std::vector<int> agent_ports() const = 0;
  // Agents leave in order, their executors end; then `done`.
  virtual void ShutDown(std::function<void()> done) = 0;

  // What POST /kiln/fault on the master's port does. `target` is "agent1", an offer, a framework.
  // kill_agent, start_agent, start_agent_as_new, freeze_agent, thaw_agent, shut_agent_down,
  // take_back (what the agent lends);
  // kill_master, start_master; rescind_offer; drop_stream, resend_updates (of a framework);
  // refuse_subscribe (the next one, with this text); delay (of every request, "200ms", "0ns");
  // no_leader (503, or 307 to the target "host:port"), leader.
  virtual Status Inject(const std::string& fault, const std::string& target) = 0;
};

// The command line of kiln-local; what it does not know is a flag of the master.
Result<NodeOptions> ParseNodeOptions(const std::vector<std::string>& arguments);
// What a Mesos agent offers of this machine when nothing else is said; `folder` is on its disk.
std::string MachineResources(const std::string& folder);

// Runs a node until SIGTERM or SIGINT, then shuts it down. `ready` is called when it listens.
Status RunLocalNode(NodeOptions options, std::function<void(const Node&)> ready = {});

}  // namespace kiln::local
