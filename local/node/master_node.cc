#include "local/node/master_node.h"

#include <utility>

#include "base/log.h"
#include "local/node/http_call.h"
#include "local/node/registry_file.h"
#include "wire/mesos/recordio.h"

namespace kiln::local {

namespace {

// A scheduler that reads slower than this falls behind is cut off.
constexpr size_t kUnsentMax = size_t{64} << 20;
// What a scheduler meets while a real master starts again: first no routes, then, as long as a
// replicated log takes to be read, no registry.
constexpr Duration kRoutesAfter = std::chrono::milliseconds(30);
constexpr Duration kRecoveredAfter = std::chrono::milliseconds(600);

std::string RegistryPath(const MasterNodeOptions& options) {
  return options.work_dir + "/master/registry.json";
}

}  // namespace

MasterNode::MasterNode(net::Loop& loop, MasterNodeOptions options, Callbacks callbacks)
    : loop_(loop), options_(std::move(options)), callbacks_(std::move(callbacks)) {}

MasterNode::~MasterNode() = default;

Result<std::unique_ptr<MasterNode>> MasterNode::Start(net::Loop& loop, MasterNodeOptions options,
                                                      Callbacks callbacks) {
  std::unique_ptr<MasterNode> node(new MasterNode(loop, std::move(options), std::move(callbacks)));
  net::ServerOptions server;
  server.host = node->options_.host;
  server.port = node->options_.port;
  server.tls = node->options_.tls;
  server.idle_timeout = kIdle;
  server.answer_inside_streams = true;
  KILN_TRY(node->server_, net::Server::Listen(loop, server, [raw = node.get()](auto exchange) {
             raw->Receive(std::move(exchange));
           }));
  node->options_.flags.shown.insert({{"hostname", node->options_.flags.options.hostname},
                                     {"ip", node->options_.host},
                                     {"port", std::to_string(node->port())},
                                     {"work_dir", node->options_.work_dir}});
  Registry registry;
  if (node->options_.flags.durable_registry) {
    KILN_TRY(registry, ReadRegistry(RegistryPath(node->options_)));
  }
  node->BringUp(std::move(registry));
  return node;
}

void MasterNode::BringUp(Registry registry) {
  MasterOptions options = options_.flags.options;
  options.ip = options_.host;
  options.port = server_->port();
  master_ = std::make_unique<Master>(std::move(options), Random(RandomSeed()), std::move(registry),
                                     loop_.Now());
  phase_ = Phase::kUp;
  Reschedule();
}

void MasterNode::Kill() {
  phase_ = Phase::kDown;
  start_timer_.Reset();
  timer_.Reset();
  master_.reset();
  for (auto& [id, stream] : std::exchange(streams_, {})) stream.exchange->Abort();
  for (auto& [id, request] : std::exchange(requests_, {})) request.exchange->Abort();
}

void MasterNode::StartAgain() {
  if (phase_ != Phase::kDown) return;
  phase_ = Phase::kStarting;
  start_timer_ = loop_.After(kRoutesAfter, [this] {
    phase_ = Phase::kRecovering;
    start_timer_ = loop_.After(kRecoveredAfter, [this] {
      Registry registry;
      if (options_.flags.durable_registry) {
        auto read = ReadRegistry(RegistryPath(options_));
        if (read) {
          registry = std::move(*read);
        } else {
          LogError("the registry is lost: {}", read.error().message);
        }
      }
      BringUp(std::move(registry));
    });
  });
}

Status MasterNode::RescindOffer(const std::string& offer_id) {
  if (!master_ || !master_->offers().count(offer_id)) {
    return Fail(ErrorCode::kNotFound, "offer {} is not out", offer_id);
  }
  Handle(local::RescindOffer{offer_id});
  return {};
}

Status MasterNode::DropStream(const std::string& framework_id) {
  if (master_) {
    auto framework = master_->frameworks().find(framework_id);
    if (framework != master_->frameworks().end() && framework->second.connected) {
      const std::string stream = framework->second.stream;
      streams_.at(stream).exchange->Abort();
      streams_.erase(stream);
      Handle(SchedulerStreamClosed{stream});
      return {};
    }
  }
  return Fail(ErrorCode::kNotFound, "framework {} has no stream", framework_id);
}

Status MasterNode::ResendUpdates(const std::string& framework_id) {
  if (!master_ || !master_->frameworks().count(framework_id)) {
    return Fail(ErrorCode::kNotFound, "framework {} is not known", framework_id);
  }
  // What an agent hears when its framework subscribes again.
  const auto& info = master_->frameworks().at(framework_id).info;
  for (const auto& [id, agent] : master_->agents()) {
    callbacks_.to_agent(agent.pid, UpdateFramework{info});
  }
  return {};
}

void MasterNode::SetLeader(bool elected, std::string other) {
  elected_ = elected;
  other_leader_ = std::move(other);
}

void MasterNode::FromAgentAt(const std::string& pid, AgentToMaster message) {
  if (phase_ == Phase::kUp) Handle(FromAgent{pid, std::move(message)});
}

void MasterNode::AgentGone(const std::string& pid) {
  if (phase_ == Phase::kUp) Handle(AgentLinkCut{pid});
}

void MasterNode::Handle(const MasterInput& input) {
  for (const MasterAction& action : master_->Handle(input, loop_.Now())) {
    std::visit([&](const auto& value) { Do(value); }, action);
  }
  Reschedule();
}

void MasterNode::Reschedule() {
  const auto next = master_->NextTimer();
  if (!next) return timer_.Reset();
  const Duration wait = std::max(Duration::zero(), *next - loop_.Now());
  timer_ = loop_.After(wait, [this] { Handle(MasterTick{}); });
}

void MasterNode::Do(const AnswerRequest& action) {
  auto node = requests_.extract(action.request);
  if (node.empty()) return;
  net::Response response;
  if (!action.text.empty()) {
    response = TextAnswer(action.status, action.text);
  } else {
    response.status = action.status;
  }
  Respond(node.mapped().exchange, std::move(response));
}

void MasterNode::Do(const AnswerOperator& action) {
  auto node = requests_.extract(action.request);
  if (node.empty()) return;
  Respond(node.mapped().exchange, MessageAnswer(node.mapped().encoding, action.response));
}

void MasterNode::Do(const OpenSchedulerStream& action) {
  OpenStream(action.request, action.stream, true);
}
void MasterNode::Do(const SendToScheduler& action) { Write(action.stream, action.event); }
void MasterNode::Do(const CloseSchedulerStream& action) { EndStream(action.stream); }
void MasterNode::Do(const OpenOperatorStream& action) {
  OpenStream(action.request, action.stream, false);
}
void MasterNode::Do(const SendToOperator& action) { Write(action.stream, action.event); }
void MasterNode::Do(const CloseOperatorStream& action) { EndStream(action.stream); }

void MasterNode::Do(const SendToAgent& action) { callbacks_.to_agent(action.pid, action.message); }

void MasterNode::Do(const SaveRegistry& action) {
  if (!options_.flags.durable_registry) return;
  if (auto saved = WriteRegistry(RegistryPath(options_), action.registry); !saved) {
    LogError("the registry is not saved: {}", saved.error().message);
  }
}

void MasterNode::OpenStream(uint64_t request, const std::string& id, bool scheduler) {
  auto node = requests_.extract(request);
  if (node.empty()) return;
  Stream& stream = streams_[id] = node.mapped();
  net::Response head;
  head.headers.Set("Content-Type", wire::MediaType(stream.encoding));
  if (scheduler) head.headers.Set("Mesos-Stream-Id", id);
  stream.exchange->BeginStream(std::move(head));
  stream.exchange->OnClose([this, id, scheduler] {
    if (streams_.erase(id) == 0 || !master_) return;
    if (scheduler) {
      Handle(SchedulerStreamClosed{id});
    } else {
      Handle(OperatorStreamClosed{id});
    }
  });
}

void MasterNode::Write(const std::string& id, const google::protobuf::Message& event) {
  auto found = streams_.find(id);
  if (found == streams_.end()) return;
  Stream& stream = found->second;
  stream.exchange->Write(wire::EncodeRecord(wire::Serialize(stream.encoding, event)));
  if (stream.exchange->Unsent() > kUnsentMax) stream.exchange->Abort();
}

void MasterNode::EndStream(const std::string& id) {
  auto node = streams_.extract(id);
  if (!node.empty()) node.mapped().exchange->EndStream();
}

}  // namespace kiln::local
