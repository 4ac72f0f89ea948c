#include "local/node/node.h"

#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <utility>

#include "local/node/agent_node.h"
#include "local/node/master_node.h"

namespace kiln::local {

namespace {

namespace fs = std::filesystem;

// An agent's place: what stays when its process goes.
struct Slot {
  AgentNodeOptions options;
  std::string pid;
  std::unique_ptr<AgentNode> agent;
  uint64_t life = 0;  // messages to a former life are lost
};

// A port that is free, the wanted one if it is; it stays so for the moment.
Result<int> FreePort(net::Loop& loop, const std::string& host, int wanted) {
  net::ServerOptions options;
  options.host = host;
  options.port = wanted;
  if (wanted != 0 && net::Server::Listen(loop, options, [](auto) {})) return wanted;
  options.port = 0;
  KILN_TRY(auto server, net::Server::Listen(loop, options, [](auto) {}));
  return server->port();
}

class LocalNode final : public Node {
 public:
  explicit LocalNode(net::Loop& loop) : loop_(loop) {}
  ~LocalNode() override { *alive_ = false; }

  Status Begin(const NodeOptions& options);
  int master_port() const override { return master_->port(); }
  std::vector<int> agent_ports() const override;
  void ShutDown(std::function<void()> done) override;
  Status Inject(const std::string& fault, const std::string& target) override;

 private:
  Status StartAgent(size_t index);
  void EndAgent(size_t index);
  Result<size_t> IndexOf(const std::string& name) const;
  Status InjectAgent(const std::string& fault, const std::string& target);
  void ToAgent(const std::string& pid, MasterToAgent message);
  // Runs it on the loop, unless the node is gone by then.
  void Post(std::function<void()> function);

  net::Loop& loop_;
  std::unique_ptr<MasterNode> master_;
  std::vector<Slot> slots_;
  std::function<void()> shut_down_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

Status LocalNode::Begin(const NodeOptions& options) {
  KILN_TRY(MasterFlags flags, ParseMasterFlags(options.master_flags));
  std::shared_ptr<const net::TlsContext> tls;
  if (!options.tls.certificate.empty()) {
    KILN_TRY(tls, net::TlsContext::ForServer(options.tls));
  }
  MasterNode::Callbacks callbacks;
  callbacks.to_agent = [this](const std::string& pid, MasterToAgent message) {
    ToAgent(pid, std::move(message));
  };
  callbacks.inject = [this](const std::string& fault, const std::string& target) {
    return Inject(fault, target);
  };
  KILN_TRY(master_,
           MasterNode::Start(loop_, {options.host, options.port, options.work_dir, flags, tls},
                             std::move(callbacks)));
  for (const NodeAgent& agent : options.agents) {
    Slot& slot = slots_.emplace_back();
    const std::string name = fmt::format("agent{}", slots_.size());
    std::vector<std::string> agent_flags = agent.flags;
    const bool sized = std::any_of(agent_flags.begin(), agent_flags.end(), [](const auto& flag) {
      return flag.starts_with("--resources=");
    });
    if (!sized) agent_flags.push_back("--resources=" + MachineResources("/"));
    slot.options.host = options.host;
    slot.options.tls = tls;
    slot.options.work_dir = options.work_dir + "/" + name;
    if (auto parsed = ParseAgentFlags(agent_flags)) {
      slot.options.flags = std::move(*parsed);
    } else {
      return Failure(Within(name, parsed.error()));
    }
    KILN_TRY(slot.options.port,
             FreePort(loop_, options.host, SavedAgentPort(slot.options.work_dir)));
    slot.pid = fmt::format("slave(1)@{}:{}", options.host, slot.options.port);
    if (agent.start) KILN_TRY_OK(StartAgent(slots_.size() - 1));
  }
  return {};
}

std::vector<int> LocalNode::agent_ports() const {
  std::vector<int> ports;
  for (const Slot& slot : slots_) ports.push_back(slot.options.port);
  return ports;
}

void LocalNode::Post(std::function<void()> function) {
  loop_.Post([alive = alive_, function = std::move(function)] {
    if (*alive) function();
  });
}

Status LocalNode::StartAgent(size_t index) {
  Slot& slot = slots_[index];
  if (slot.agent) return Fail(ErrorCode::kConflict, "agent{} runs already", index + 1);
  const uint64_t life = ++slot.life;
  AgentNode::Callbacks callbacks;
  callbacks.to_master = [this, index, life](AgentToMaster message) {
    if (slots_[index].life == life) {
      master_->FromAgentAt(slots_[index].pid, std::move(message));
    }
  };
  callbacks.exited = [this, index, life] {
    Post([this, index, life] {
      if (slots_[index].life == life) EndAgent(index);
    });
  };
  KILN_TRY(slot.agent, AgentNode::Start(loop_, slot.options, std::move(callbacks)));
  return {};
}

void LocalNode::EndAgent(size_t index) {
  ++slots_[index].life;
  slots_[index].agent.reset();
  master_->AgentGone(slots_[index].pid);
  const bool all_gone = std::none_of(slots_.begin(), slots_.end(),
                                     [](const Slot& slot) { return slot.agent != nullptr; });
  if (shut_down_ && all_gone) std::exchange(shut_down_, nullptr)();
}

void LocalNode::ToAgent(const std::string& pid, MasterToAgent message) {
  for (size_t i = 0; i < slots_.size(); ++i) {
    if (slots_[i].pid != pid || !slots_[i].agent) continue;
    Post([this, i, life = slots_[i].life, message = std::move(message)]() mutable {
      if (slots_[i].life == life) slots_[i].agent->FromMaster(std::move(message));
    });
    return;
  }
}

void LocalNode::ShutDown(std::function<void()> done) {
  shut_down_ = std::move(done);
  bool waits = false;
  for (Slot& slot : slots_) {
    if (!slot.agent) continue;
    waits = true;
    slot.agent->ShutDown();
  }
  if (!waits) Post(std::exchange(shut_down_, nullptr));
}

Result<size_t> LocalNode::IndexOf(const std::string& name) const {
  for (size_t i = 0; i < slots_.size(); ++i) {
    if (name == fmt::format("agent{}", i + 1)) return i;
  }
  return Fail(ErrorCode::kNotFound, "agent '{}' is not known, but agent1 to agent{}", name,
              slots_.size());
}

Status LocalNode::InjectAgent(const std::string& fault, const std::string& target) {
  KILN_TRY(const size_t index, IndexOf(target));
  Slot& slot = slots_[index];
  if (fault == "start_agent") return StartAgent(index);
  if (fault == "start_agent_as_new") {
    std::error_code ignored;
    fs::remove(fs::path(slot.options.work_dir) / "meta/slaves/latest", ignored);
    return StartAgent(index);
  }
  if (!slot.agent) return Fail(ErrorCode::kFailedPrecondition, "{} does not run", target);
  if (fault == "kill_agent") {
    EndAgent(index);
  } else if (fault == "freeze_agent") {
    slot.agent->Freeze();
  } else if (fault == "thaw_agent") {
    slot.agent->Thaw();
  } else if (fault == "take_back") {
    slot.agent->TakeBack();
  } else {
    slot.agent->ShutDown();
  }
  return {};
}

Status LocalNode::Inject(const std::string& fault, const std::string& target) {
  for (const char* known : {"start_agent", "start_agent_as_new", "kill_agent", "freeze_agent",
                            "thaw_agent", "shut_agent_down", "take_back"}) {
    if (fault == known) return InjectAgent(fault, target);
  }
  if (fault == "kill_master") {
    master_->Kill();
  } else if (fault == "start_master") {
    master_->StartAgain();
  } else if (fault == "rescind_offer") {
    return master_->RescindOffer(target);
  } else if (fault == "drop_stream") {
    return master_->DropStream(target);
  } else if (fault == "resend_updates") {
    return master_->ResendUpdates(target);
  } else if (fault == "delay") {
    KILN_TRY(const Duration delay, ParseDuration(target));
    master_->SetDelay(delay);
  } else if (fault == "refuse_subscribe") {
    master_->RefuseNextSubscribe(target);
  } else if (fault == "no_leader") {
    master_->SetLeader(false, target);
  } else if (fault == "leader") {
    master_->SetLeader(true);
  } else {
    return Fail(ErrorCode::kInvalidArgument, "fault '{}' is not known", fault);
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<Node>> Node::Start(net::Loop& loop, NodeOptions options) {
  auto node = std::make_unique<LocalNode>(loop);
  KILN_TRY_OK(node->Begin(options));
  return node;
}

Status RunLocalNode(NodeOptions options, std::function<void(const Node&)> ready) {
  net::Loop loop;
  KILN_TRY(auto node, Node::Start(loop, std::move(options)));
  bool ending = false;
  auto end = [&] {
    // A second signal does not wait.
    if (std::exchange(ending, true)) return loop.Stop();
    node->ShutDown([&] { loop.Stop(); });
  };
  const net::Handle term = loop.OnSignal(SIGTERM, end);
  const net::Handle interrupt = loop.OnSignal(SIGINT, end);
  if (ready) ready(*node);
  loop.Run();
  return {};
}

}  // namespace kiln::local
