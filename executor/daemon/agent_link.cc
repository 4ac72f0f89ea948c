#include "executor/daemon/agent_link.h"

#include <algorithm>

#include "base/log.h"
#include "proto/mesos/v1/executor.pb.h"

namespace kiln::executor {
namespace {

using mesos::v1::executor::Call;
using mesos::v1::executor::Event;

Duration GraceOf(const mesos::v1::KillPolicy& policy) {
  return Duration(policy.grace_period().nanoseconds());
}

bool KnowsKilling(const mesos::v1::FrameworkInfo& framework) {
  return std::ranges::any_of(framework.capabilities(), [](const auto& capability) {
    return capability.type() == mesos::v1::FrameworkInfo::Capability::TASK_KILLING_STATE;
  });
}

}  // namespace

AgentLink::AgentLink(net::World world, wire::ExecutorEnvironment environment, Callbacks callbacks)
    : world_(std::move(world)),
      callbacks_(std::move(callbacks)),
      protocol_({environment.executor_id, environment.shutdown_grace_period}, world_.seed()) {
  client_ = std::make_unique<wire::ExecutorClient>(
      world_, std::move(environment), wire::Encoding::kProtobuf,
      wire::ExecutorClientCallbacks{[this] { return SubscribeCall(); },
                                    [this](const Event& event) { OnEvent(event); },
                                    [this](const wire::Disconnected& lost) {
                                      LogWarning("agent: {}", lost.why.message);
                                      calls_.clear();
                                      Feed(Disconnected{lost.final});
                                    },
                                    [this](const wire::CallAnswer& answer) { OnAnswer(answer); }});
}

AgentLink::~AgentLink() { *alive_ = false; }

void AgentLink::OnEvent(const Event& event) {
  switch (event.type()) {
    case Event::SUBSCRIBED: {
      const Event::Subscribed& to = event.subscribed();
      const bool is_default = to.executor_info().type() == mesos::v1::ExecutorInfo::DEFAULT;
      return Feed(Subscribed{KnowsKilling(to.framework_info()),
                             is_default ? to.container_id().value() : ""});
    }
    case Event::LAUNCH:
      return Feed(Launch{.tasks = std::vector(1, event.launch().task())});
    case Event::LAUNCH_GROUP: {
      const auto& tasks = event.launch_group().task_group().tasks();
      return Feed(Launch{{tasks.begin(), tasks.end()}, true});
    }
    case Event::KILL: {
      Kill kill{event.kill().task_id().value()};
      if (event.kill().kill_policy().has_grace_period()) {
        kill.grace = GraceOf(event.kill().kill_policy());
      }
      return Feed(kill);
    }
    case Event::ACKNOWLEDGED:
      return Feed(
          Acknowledged{event.acknowledged().task_id().value(), event.acknowledged().uuid()});
    case Event::SHUTDOWN:
      return Feed(Shutdown{});
    case Event::ERROR:
      LogError("agent: {}", event.error().message());
      return;
    case Event::MESSAGE:
    case Event::HEARTBEAT:
    case Event::UNKNOWN:
      return;
  }
}

void AgentLink::OnAnswer(const wire::CallAnswer& answer) {
  auto found = calls_.find(answer.call);
  if (found == calls_.end()) return;
  std::string task = std::move(found->second);
  calls_.erase(found);
  if (answer.ok() || answer.status == 0) return;
  LogWarning("update of task {} was answered {}: {}", task, answer.status, answer.text);
  if (answer.status >= 500) Feed(UpdateRefused{task});
}

Call::Subscribe AgentLink::SubscribeCall() {
  Call::Subscribe call;
  auto subscription = protocol_.Subscribe();
  for (auto& task : subscription.unacknowledged_tasks) {
    *call.add_unacknowledged_tasks() = std::move(task);
  }
  for (auto& status : subscription.unacknowledged_updates) {
    *call.add_unacknowledged_updates()->mutable_status() = std::move(status);
  }
  return call;
}

void AgentLink::Feed(const Input& input) {
  auto effects = protocol_.On(input, world_.Now());
  const auto alive = alive_;
  for (const Effect& effect : effects) {
    std::visit([this](const auto& one) { Perform(one); }, effect);
    if (!*alive) return;
  }
  SetTimer();
}

// Once for all that one turn of the agenda brings.
void AgentLink::SetTimer() {
  if (std::exchange(timer_wanted_, true)) return;
  world_.agenda.Post([this, alive = alive_] {
    if (*alive) StartTimer();
  });
}

void AgentLink::StartTimer() {
  timer_wanted_ = false;
  const auto next = protocol_.NextTimer();
  if (next == timer_at_) return;
  timer_.Reset();
  timer_at_ = next;
  if (!next) return;
  timer_ = world_.agenda.After(std::max(*next - world_.Now(), Duration::zero()), [this] {
    timer_at_.reset();
    Feed(TimePassed{});
  });
}

void AgentLink::Perform(const SendUpdate& effect) {
  const std::string& task = effect.status.task_id().value();
  LogInfo("task {} {}{}{}", task, mesos::v1::TaskState_Name(effect.status.state()),
          effect.status.has_message() ? ": " : "", effect.status.message());
  Call call;
  call.set_type(Call::UPDATE);
  *call.mutable_update()->mutable_status() = effect.status;
  // Without a stream the update goes into the next subscription.
  if (auto number = client_->Call(std::move(call))) calls_[*number] = task;
}

}  // namespace kiln::executor
