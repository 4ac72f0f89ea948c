// The operator API of the master: what changes something.
#include "local/cluster/master.h"
#include "local/cluster/validation.h"

namespace kiln::local {

namespace operators = mesos::v1::master;

namespace {

constexpr Duration kHeartbeatInterval = std::chrono::seconds(15);

}  // namespace

void Master::On(const OperatorCall& input) {
  using Call = operators::Call;
  const Call& call = input.call;
  if (Objection objection = ValidateCall(call)) {
    return Answer(input.request, 400, "Failed to validate master::Call: " + *objection);
  }
  if (auto response = View(call)) {
    actions_.emplace_back(AnswerOperator{input.request, std::move(*response)});
    return;
  }
  switch (call.type()) {
    case Call::SUBSCRIBE:
      return SubscribeOperator(input);
    case Call::TEARDOWN: {
      const std::string& id = call.teardown().framework_id().value();
      if (!frameworks_.count(id)) {
        return Answer(input.request, 400, "No framework found with specified ID");
      }
      Remove(id);
      return Answer(input.request, 200);
    }
    case Call::MARK_AGENT_GONE:
      return MarkGone(input);
    case Call::DRAIN_AGENT:
      return Drain(input);
    case Call::DEACTIVATE_AGENT:
      return Deactivate(input);
    case Call::REACTIVATE_AGENT:
      return Reactivate(input);
    case Call::UPDATE_MAINTENANCE_SCHEDULE:
      return UpdateSchedule(input);
    case Call::START_MAINTENANCE:
      return StartMaintenance(input);
    case Call::STOP_MAINTENANCE:
      return StopMaintenance(input);
    default:
      return Answer(input.request, 501, "501 Not Implemented.");
  }
}

void Master::On(const OperatorStreamClosed& input) {
  operators_.remove_if([&](const auto& entry) { return entry.stream == input.stream; });
}

void Master::SubscribeOperator(const OperatorCall& input) {
  while (operators_.size() >= options_.max_operator_streams) {
    actions_.emplace_back(CloseOperatorStream{operators_.front().stream});
    operators_.pop_front();
  }
  const std::string stream = NewUuid();
  actions_.emplace_back(OpenOperatorStream{input.request, stream});
  operators::Call question;
  question.set_type(operators::Call::GET_STATE);
  operators::Event event;
  event.set_type(operators::Event::SUBSCRIBED);
  *event.mutable_subscribed()->mutable_get_state() = View(question)->get_state();
  event.mutable_subscribed()->set_heartbeat_interval_seconds(ToSeconds(kHeartbeatInterval));
  actions_.emplace_back(SendToOperator{stream, event});
  operators::Event heartbeat;
  heartbeat.set_type(operators::Event::HEARTBEAT);
  actions_.emplace_back(SendToOperator{stream, heartbeat});
  operators_.push_back({stream, now_ + kHeartbeatInterval});
}

void Master::MarkGone(const OperatorCall& input) {
  const std::string& id = input.call.mark_agent_gone().agent_id().value();
  if (registry_.gone.count(id)) return Answer(input.request, 200);
  if (!IsKnownAgent(id)) return Answer(input.request, 404, "404 Not Found.");
  Answer(input.request, 200);
  MarkGone(id);
}

void Master::MarkGone(const std::string& id) {
  registry_.gone[id] = now_;
  registry_.unreachable.erase(id);
  recovered_.erase(id);
  std::erase_if(registry_.agents, [&](const auto& info) { return info.id().value() == id; });
  ForgetService(id);
  MasterAgent* agent = FindAgent(id);
  if (!agent) return Save();
  Tell(*agent, ShutdownAgent{"Agent has been marked gone"});
  RemoveAgent(id, mesos::v1::TASK_GONE_BY_OPERATOR,
              mesos::v1::TaskStatus::REASON_AGENT_REMOVED_BY_OPERATOR,
              "Agent has been marked gone");
}

}  // namespace kiln::local
