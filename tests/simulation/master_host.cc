#include "tests/simulation/master_host.h"

#include <algorithm>

#include "wire/mesos/json.h"
#include "wire/mesos/recordio.h"

namespace kiln::simulation {

using local::MasterAction;

void MasterHost::Start() {
  ++life_;
  process_ = std::make_unique<Process>(stage_.timeline, no_skew_);
  local::MasterOptions options;
  options.ip = "10.0.0.1";
  options.hostname = "master";
  options.agent_ping_timeout = stage_.scenario.ping_timeout;
  options.agent_reregister_timeout = 10 * stage_.scenario.ping_timeout;
  master_ = std::make_unique<local::Master>(
      std::move(options), Random(Mix(stage_.scenario.seed, fmt::format("master {}", life_))),
      registry_, process_->Now());
  stage_.network.Listen(kMasterAuthority,
                        [this](std::shared_ptr<Exchange> exchange) { Serve(std::move(exchange)); });
  stage_.history.Note("master {} starts", life_);
  Handle(local::MasterTick{});
}

void MasterHost::Kill() {
  timer_.Reset();
  process_->Kill();
  master_.reset();
  requests_.clear();
  streams_.clear();
  stage_.network.Close(kMasterAuthority);
}

void MasterHost::Serve(std::shared_ptr<Exchange> exchange) {
  if (!master_) return;
  local::SchedulerCall input;
  if (!input.call.ParseFromString(exchange->request().body)) {
    return stage_.history.Violate("wire", "the master cannot read a call");
  }
  if (const auto stream = exchange->request().headers.Get("Mesos-Stream-Id")) {
    input.stream_id = std::string(*stream);
  }
  input.request = next_request_++;
  stage_.history.Note("master gets {}", mesos::v1::scheduler::Call::Type_Name(input.call.type()));
  requests_[input.request] = std::move(exchange);
  Handle(input);
}

void MasterHost::Handle(const local::MasterInput& input) {
  if (!master_) return;
  for (const MasterAction& action : master_->Handle(input, process_->Now())) {
    std::visit([this](const auto& one) { Do(one); }, action);
  }
  const auto next = master_->NextTimer();
  timer_.Reset();
  if (!next) return;
  timer_ = process_->After(std::max(*next - process_->Now(), Duration(0)),
                           [this] { Handle(local::MasterTick{}); });
}

void MasterHost::RescindAll() {
  if (!master_) return;
  std::vector<std::string> offers;
  for (const auto& [id, offer] : master_->offers()) offers.push_back(id);
  for (const std::string& id : offers) Handle(local::RescindOffer{id});
}

void MasterHost::RepeatUpdates() {
  if (!master_) return;
  for (const auto& [id, framework] : master_->frameworks()) {
    for (const auto& [agent_id, agent] : master_->agents()) {
      to_agent_(agent.pid, local::UpdateFramework{framework.info});
    }
  }
}

void MasterHost::MarkGone(const std::string& agent_id) {
  local::OperatorCall input;
  input.request = next_request_++;
  input.call.set_type(mesos::v1::master::Call::MARK_AGENT_GONE);
  input.call.mutable_mark_agent_gone()->mutable_agent_id()->set_value(agent_id);
  Handle(input);
}

void MasterHost::Do(const local::AnswerRequest& action) {
  auto node = requests_.extract(action.request);
  if (node.empty()) return;
  if (action.status >= 300) {
    stage_.history.Note("master answers {} {}", action.status, action.text);
  }
  net::Response response;
  response.status = action.status;
  response.body = action.text;
  node.mapped()->Respond(std::move(response));
}

void MasterHost::Do(const local::OpenSchedulerStream& action) {
  auto node = requests_.extract(action.request);
  if (node.empty()) return;
  const auto exchange = node.mapped();
  streams_[action.stream] = exchange;
  net::Response head;
  head.headers.Set("Content-Type", wire::MediaType(wire::Encoding::kProtobuf));
  head.headers.Set("Mesos-Stream-Id", action.stream);
  exchange->BeginStream(std::move(head));
  exchange->OnClose([this, life = life_, stream = action.stream] {
    if (life != life_ || streams_.erase(stream) == 0) return;
    Handle(local::SchedulerStreamClosed{stream});
  });
}

void MasterHost::Do(const local::SendToScheduler& action) {
  const auto stream = streams_.find(action.stream);
  if (stream == streams_.end()) return;
  stream->second->Write(
      wire::EncodeRecord(action.event.SerializeAsString()),
      [this, link = stream->second->link(), event = action.event] { on_event_(link, event); });
}

void MasterHost::Do(const local::CloseSchedulerStream& action) {
  auto node = streams_.extract(action.stream);
  if (!node.empty()) node.mapped()->EndStream();
}

}  // namespace kiln::simulation
