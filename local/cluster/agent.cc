#include "local/cluster/agent.h"

#include <algorithm>
#include <utility>

#include "local/cluster/operations.h"

namespace kiln::local {

using mesos::v1::AgentInfo;
using mesos::v1::TaskStatus;

namespace {

constexpr const char* kMesosVersion = "1.12.0";
constexpr Duration kBackoffMax = std::chrono::minutes(1);

std::vector<AgentInfo::Capability> Capabilities() {
  std::vector<AgentInfo::Capability> all;
  for (auto type :
       {AgentInfo::Capability::MULTI_ROLE, AgentInfo::Capability::HIERARCHICAL_ROLE,
        AgentInfo::Capability::RESERVATION_REFINEMENT, AgentInfo::Capability::RESOURCE_PROVIDER,
        AgentInfo::Capability::RESIZE_VOLUME, AgentInfo::Capability::AGENT_OPERATION_FEEDBACK,
        AgentInfo::Capability::AGENT_DRAINING, AgentInfo::Capability::TASK_RESOURCE_LIMITS}) {
    all.emplace_back().set_type(type);
  }
  return all;
}

}  // namespace

Agent::Agent(AgentOptions options, Random random)
    : options_(std::move(options)), random_(random), total_(TotalResources(options_.info, {})) {}

std::vector<AgentAction> Agent::TakeActions() { return std::exchange(actions_, {}); }

void Agent::Start(Instant now) { Disconnect(now); }

void Agent::Disconnect(Instant now) {
  phase_ = AgentPhase::kDisconnected;
  ping_deadline_.reset();
  backoff_ = options_.registration_backoff_factor;
  register_at_ = now + FromSeconds(random_.Unit() * ToSeconds(backoff_));
}

void Agent::Register(Instant now) {
  if (options_.info.has_id()) {
    Send(Reregistration());
  } else {
    Send(RegisterAgent{options_.info, kMesosVersion, Capabilities(), KeptResources(total_)});
  }
  backoff_ =
      std::min(std::max(backoff_ * 2, Duration(std::chrono::milliseconds(100))), kBackoffMax);
  register_at_ = now + backoff_ / 2 + FromSeconds(random_.Unit() * ToSeconds(backoff_ / 2));
}

ReregisterAgent Agent::Reregistration() const {
  ReregisterAgent message;
  message.agent = options_.info;
  message.version = kMesosVersion;
  message.capabilities = Capabilities();
  message.checkpointed_resources = KeptResources(total_);
  for (const auto& [uuid, pending] : operations_) message.operations.push_back(pending.operation);
  for (const auto& [id, framework] : frameworks_) {
    message.frameworks.push_back(framework.info);
    for (const auto& [executor_id, executor] : framework.executors) {
      for (const auto& task : executor.QueuedTasks()) {
        message.tasks.push_back(TaskOf(task, mesos::v1::TASK_STAGING, framework.info.id()));
      }
      for (const auto& [task_id, task] : executor.launched) message.tasks.push_back(task);
      for (const auto& [task_id, task] : executor.terminated) message.tasks.push_back(task);
      if (!executor.command && executor.state != ExecutorState::kTerminated) {
        message.executors.push_back(executor.info);
      }
    }
  }
  for (const AgentFramework& framework : completed_) {
    CompletedFramework& completed = message.completed.emplace_back();
    completed.framework = framework.info;
    for (const AgentExecutor& executor : framework.completed) {
      completed.tasks.insert(completed.tasks.end(), executor.completed.begin(),
                             executor.completed.end());
    }
  }
  return message;
}

void Agent::Resume(Instant now) {
  for (const auto& [key, status] : updates_.Heads()) Forward(now, key, status);
  ForwardOperations(now, true);
}

void Agent::FromMaster(Instant now, const MasterToAgent& message) {
  std::visit([&](const auto& it) { On(now, it); }, message);
}

void Agent::On(Instant now, const AgentRegistered& message) {
  if (phase_ != AgentPhase::kDisconnected) return;
  options_.info.mutable_id()->CopyFrom(message.agent_id);
  actions_.emplace_back(SaveAgent{options_.info});
  phase_ = AgentPhase::kRegistered;
  register_at_.reset();
  ping_timeout_ = message.total_ping_timeout;
  ping_deadline_ = now + ping_timeout_;
  Resume(now);
}

void Agent::On(Instant now, const AgentReregistered& message) {
  if (!Working()) return;
  const bool was_disconnected = phase_ == AgentPhase::kDisconnected;
  phase_ = AgentPhase::kRegistered;
  register_at_.reset();
  ping_timeout_ = message.total_ping_timeout;
  ping_deadline_ = now + ping_timeout_;
  if (was_disconnected) Resume(now);
  for (const UnknownTasks& unknown : message.reconcile) {
    const std::string& framework_id = unknown.framework_id.value();
    AgentFramework* framework = FindFramework(framework_id);
    for (const TaskStatus& status : unknown.statuses) {
      const std::string& task_id = status.task_id().value();
      if (framework != nullptr && framework->ExecutorOf(task_id) != nullptr) continue;
      const TaskKey key{framework_id, task_id};
      if (updates_.Has(key)) continue;
      const bool aware = framework != nullptr && framework->PartitionAware();
      const TaskStatus gone =
          NewStatus(now, task_id, aware ? mesos::v1::TASK_DROPPED : mesos::v1::TASK_LOST,
                    TaskStatus::REASON_RECONCILIATION, "Reconciliation: task unknown to the agent");
      if (updates_.Add(key, gone) == TaskUpdates::Added::kHead) Forward(now, key, gone);
    }
  }
}

void Agent::On(Instant now, const Ping& message) {
  Send(Pong{});
  if (phase_ != AgentPhase::kRegistered) return;
  ping_deadline_ = now + ping_timeout_;
  if (!message.connected) Disconnect(now);
}

void Agent::On(Instant now, const UpdateFramework& message) {
  if (phase_ == AgentPhase::kTerminating) return;
  AgentFramework* framework = FindFramework(message.framework.id().value());
  if (framework == nullptr || framework->terminating) return;
  framework->info = message.framework;
  if (framework->info.checkpoint()) actions_.emplace_back(SaveFramework{framework->info});
  if (phase_ == AgentPhase::kRegistered) Resume(now);
}

void Agent::On(Instant now, const ShutdownAgent&) {
  if (Working()) Leave(now);
}

void Agent::ShutDown(Instant now) {
  if (phase_ == AgentPhase::kTerminating) return;
  if (options_.info.has_id()) Send(UnregisterAgent{options_.info.id()});
  Leave(now);
}

void Agent::Tick(Instant now) {
  if (recovery_end_ && *recovery_end_ <= now) EndRecovery(now);
  if (ping_deadline_ && *ping_deadline_ <= now && phase_ == AgentPhase::kRegistered) {
    Disconnect(now);
  }
  if (register_at_ && *register_at_ <= now) {
    if (phase_ == AgentPhase::kDisconnected) {
      Register(now);
    } else {
      register_at_.reset();
    }
  }
  if (phase_ == AgentPhase::kRegistered) {
    for (const auto& [key, status] : updates_.Due(now)) Forward(now, key, status);
    ForwardOperations(now, false);
  }
  for (auto& [id, framework] : frameworks_) {
    for (auto& [executor_id, executor] : framework.executors) {
      if (executor.deadline && *executor.deadline <= now) Expire(now, executor);
    }
  }
}

std::optional<Instant> Agent::NextDeadline() const {
  std::optional<Instant> next;
  auto consider = [&](const std::optional<Instant>& at) {
    if (at && (!next || *at < *next)) next = at;
  };
  consider(recovery_end_);
  consider(ping_deadline_);
  consider(register_at_);
  if (phase_ == AgentPhase::kRegistered) {
    consider(updates_.NextDue());
    for (const auto& [uuid, pending] : operations_) consider(pending.due);
  }
  for (const auto& [id, framework] : frameworks_) {
    for (const auto& [executor_id, executor] : framework.executors) consider(executor.deadline);
  }
  return next;
}

AgentFramework* Agent::FindFramework(const std::string& id) {
  auto found = frameworks_.find(id);
  return found == frameworks_.end() ? nullptr : &found->second;
}

AgentExecutor* Agent::FindExecutor(const RunKey& key) {
  AgentFramework* framework = FindFramework(key.framework_id);
  if (framework == nullptr) return nullptr;
  auto found = framework->executors.find(key.executor_id);
  if (found == framework->executors.end() || found->second.key != key) return nullptr;
  return &found->second;
}

void Agent::SendEvent(const AgentExecutor& executor, mesos::v1::executor::Event event) {
  if (executor.stream) actions_.emplace_back(local::SendEvent{*executor.stream, std::move(event)});
}

void Agent::CloseStreamOf(AgentExecutor& executor) {
  if (!executor.stream) return;
  actions_.emplace_back(CloseStream{*executor.stream});
  executor.stream.reset();
}

std::string Agent::NewUuid() {
  const auto bytes = UuidBytes(random_);
  return {bytes.begin(), bytes.end()};
}

}  // namespace kiln::local
