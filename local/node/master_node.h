// A master on loopback: its HTTP endpoints, its streams, its timers, its registry on disk.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/random.h"
#include "base/result.h"
#include "local/cluster/master.h"
#include "local/node/master_flags.h"
#include "wire/mesos/json.h"
#include "wire/net/loop.h"
#include "wire/net/server.h"

namespace kiln::local {

struct MasterNodeOptions {
  std::string host = "127.0.0.1";
  int port = 0;
  std::string work_dir;
  MasterFlags flags;
  std::shared_ptr<const net::TlsContext> tls;  // none: it is plain
};

// Threads: the loop's alone. The port is kept while the master is down: connections are closed
// then.
class MasterNode {
 public:
  struct Callbacks {
    std::function<void(const std::string& pid, MasterToAgent message)> to_agent;
    // POST /kiln/fault.
    std::function<Status(const std::string& fault, const std::string& target)> inject;
  };
  static Result<std::unique_ptr<MasterNode>> Start(net::Loop& loop, MasterNodeOptions options,
                                                   Callbacks callbacks);
  ~MasterNode();

  int port() const { return server_->port(); }
  void FromAgentAt(const std::string& pid, AgentToMaster message);
  void AgentGone(const std::string& pid);

  // As kill -9 does: all streams break, all that is not in the registry is forgotten.
  void Kill();
  void StartAgain();
  Status RescindOffer(const std::string& offer_id);
  // The next SUBSCRIBE gets 200 and this ERROR event.
  void RefuseNextSubscribe(std::string message) { refusal_ = std::move(message); }
  Status DropStream(const std::string& framework_id);
  // Agents send all unacknowledged updates of the framework again.
  Status ResendUpdates(const std::string& framework_id);
  // Every request waits so long before it is looked at.
  void SetDelay(Duration delay) { delay_ = delay; }
  // Answers as a master without a leader does, or as one that knows another leader ("host:port").
  void SetLeader(bool elected, std::string other = {});

 private:
  enum class Phase { kDown, kStarting, kRecovering, kUp };
  struct Stream {
    std::shared_ptr<net::Exchange> exchange;
    wire::Encoding encoding = wire::Encoding::kJson;
  };

  MasterNode(net::Loop& loop, MasterNodeOptions options, Callbacks callbacks);
  void BringUp(Registry registry);
  void Handle(const MasterInput& input);
  void Do(const AnswerRequest& action);
  void Do(const AnswerOperator& action);
  void Do(const OpenSchedulerStream& action);
  void Do(const SendToScheduler& action);
  void Do(const CloseSchedulerStream& action);
  void Do(const OpenOperatorStream& action);
  void Do(const SendToOperator& action);
  void Do(const CloseOperatorStream& action);
  void Do(const SendToAgent& action);
  void Do(const SaveRegistry& action);
  void OpenStream(uint64_t request, const std::string& stream, bool scheduler);
  void Write(const std::string& stream, const google::protobuf::Message& event);
  void EndStream(const std::string& stream);
  void Reschedule();

  // endpoints: master_endpoints.cc
  void Receive(std::shared_ptr<net::Exchange> exchange);
  void Serve(const std::shared_ptr<net::Exchange>& exchange);
  void ServeFault(const std::shared_ptr<net::Exchange>& exchange);
  void ServeScheduler(const std::shared_ptr<net::Exchange>& exchange);
  void ServeOperator(const std::shared_ptr<net::Exchange>& exchange);
  net::Response ServeEndpoint(const net::Request& request, const std::string& endpoint);
  net::Response ServeTeardown(const net::Request& request);
  void ServeMaintenance(const std::shared_ptr<net::Exchange>& exchange,
                        const std::string& endpoint);
  std::optional<net::Response> RefuseUnlessLeading(const net::Request& request) const;
  // 401, or nothing and the principal if one is authenticated.
  std::optional<net::Response> Authenticate(const net::Request& request, bool required,
                                            const char* realm,
                                            std::optional<std::string>* principal) const;
  void Respond(const std::shared_ptr<net::Exchange>& exchange, net::Response response);

  net::Loop& loop_;
  MasterNodeOptions options_;
  Callbacks callbacks_;
  std::unique_ptr<net::Server> server_;
  std::unique_ptr<Master> master_;
  Phase phase_ = Phase::kDown;
  bool elected_ = true;
  std::string other_leader_;
  std::optional<std::string> refusal_;  // of the next SUBSCRIBE
  Duration delay_{};
  uint64_t next_delayed_ = 0;
  std::map<uint64_t, net::Handle> delayed_;
  uint64_t next_request_ = 0;
  std::map<uint64_t, Stream> requests_;  // waiting for their answer, with the encoding they want
  std::map<std::string, Stream> streams_;
  net::Handle timer_;
  net::Handle start_timer_;
};

}  // namespace kiln::local
