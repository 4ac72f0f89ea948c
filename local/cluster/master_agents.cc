// Agents in the master: they come, are pinged, vanish, come back, and are given up.
#include <fmt/format.h>

#include <algorithm>

#include "local/cluster/agent_updates.h"
#include "local/cluster/master.h"
#include "local/cluster/master_views.h"
#include "local/cluster/operations.h"

namespace kiln::local {

namespace scheduler = mesos::v1::scheduler;
namespace operators = mesos::v1::master;
using mesos::v1::Task;
using mesos::v1::TaskState;
using mesos::v1::TaskStatus;

MasterAgent* Master::FindAgent(const std::string& id) {
  auto found = agents_.find(id);
  return found == agents_.end() ? nullptr : &found->second;
}

MasterAgent* Master::AgentAt(const std::string& pid) {
  for (auto& [id, agent] : agents_) {
    if (agent.pid == pid) return &agent;
  }
  return nullptr;
}

void Master::On(const std::string& pid, const RegisterAgent& message) {
  if (RefuseMachineDown(pid, message.agent)) return;
  const Duration total_ping_timeout =
      options_.agent_ping_timeout * options_.max_agent_ping_timeouts;
  if (MasterAgent* known = AgentAt(pid)) {
    if (known->connected) {
      Tell(*known, AgentRegistered{known->info.id(), total_ping_timeout});
      return;
    }
    RemoveAgent(known->id(), mesos::v1::TASK_LOST, TaskStatus::REASON_AGENT_REMOVED,
                fmt::format("Agent {} removed: a new agent registered at the same address",
                            known->info.hostname()));
  }
  const std::string id = info_.id() + "-S" + std::to_string(next_agent_++);
  MasterAgent& agent = agents_[id];
  agent.info = message.agent;
  agent.info.mutable_id()->set_value(id);
  agent.pid = pid;
  agent.version = message.version;
  agent.capabilities = message.capabilities;
  agent.total = TotalResources(message.agent, message.checkpointed_resources);
  agent.registered = now_;
  agent.next_ping = now_;
  ++counts_.agent_registrations;
  registry_.agents.push_back(agent.info);
  Save();
  Tell(agent, AgentRegistered{agent.info.id(), total_ping_timeout});
  operators::Event event;
  event.set_type(operators::Event::AGENT_ADDED);
  *event.mutable_agent_added()->mutable_agent() = AgentEntry(*this, agent);
  Publish(std::move(event));
  AddToAllocator(agent);
}

// A new agent is offered at once.
void Master::AddToAllocator(const MasterAgent& agent) {
  std::map<std::string, Resources> used;
  for (const auto& [framework_id, task_id] : agent.tasks) {
    const Task& task = frameworks_.at(framework_id).tasks.at(task_id);
    if (!IsTerminal(task.state())) used[framework_id] += Resources(task.resources());
  }
  for (const auto& [key, executor] : agent.executors) {
    used[key.first] += Resources(executor.resources());
  }
  allocator_.AddAgent(agent.id(), agent.info, agent.total, used);
  allocator_.SetAgentActive(agent.id(), agent.active());
  const std::set<std::string> only{agent.id()};
  Allocate(&only);
}

void Master::On(const std::string& pid, const ReregisterAgent& message) {
  const std::string& id = message.agent.id().value();
  if (registry_.gone.count(id)) {
    actions_.emplace_back(SendToAgent{pid, ShutdownAgent{"Agent has been marked gone"}});
    return;
  }
  if (RefuseMachineDown(pid, message.agent)) return;
  ++counts_.agent_reregistrations;
  if (MasterAgent* agent = FindAgent(id)) {
    agent->pid = pid;
    Return(*agent, message);
  } else {
    Readmit(pid, message);
  }
}

// The master has it, connected or not.
void Master::Return(MasterAgent& agent, const ReregisterAgent& message) {
  agent.connected = true;
  agent.reregistered = now_;
  agent.version = message.version;
  agent.ponged = true;
  agent.missed = 0;
  agent.next_ping = now_;
  std::set<MasterTaskKey> told;
  for (const Task& task : message.tasks) {
    told.insert({task.framework_id().value(), task.task_id().value()});
  }
  std::map<std::string, UnknownTasks> unknown;
  for (const MasterTaskKey& key : agent.tasks) {
    if (told.count(key)) continue;
    const MasterFramework& framework = frameworks_.at(key.first);
    const Task& task = framework.tasks.at(key.second);
    UnknownTasks& entry = unknown[key.first];
    entry.framework_id = framework.info.id();
    entry.statuses.push_back(
        NewStatus(task, framework.PartitionAware() ? mesos::v1::TASK_DROPPED : mesos::v1::TASK_LOST,
                  TaskStatus::REASON_RECONCILIATION, "Reconciliation: task unknown to the agent"));
  }
  AgentReregistered answer{agent.info.id(),
                           options_.agent_ping_timeout * options_.max_agent_ping_timeouts};
  for (auto& [id, entry] : unknown) answer.reconcile.push_back(std::move(entry));
  Tell(agent, std::move(answer));
  TellOfFrameworks(agent, message);
  std::set<MasterExecutorKey> executors;
  for (const auto& executor : message.executors) {
    executors.insert({executor.framework_id().value(), executor.executor_id().value()});
  }
  std::vector<MasterExecutorKey> ended;
  for (const auto& [key, executor] : agent.executors) {
    if (!executors.count(key)) ended.push_back(key);
  }
  for (const MasterExecutorKey& key : ended) RemoveExecutor(agent, key);
  for (const auto& [key, policy] : agent.kills) {
    mesos::v1::TaskID task_id;
    task_id.set_value(key.second);
    Tell(agent, KillTask{frameworks_.at(key.first).info.id(), task_id, policy});
  }
  allocator_.SetAgentActive(agent.id(), agent.active());
  ReturnOperations(agent, message);
  GoOnDraining(agent);
}

// The master has forgotten it, given it up, or never seen it: a new master learns of everything
// from its agents.
void Master::Readmit(const std::string& pid, const ReregisterAgent& message) {
  const std::string& id = message.agent.id().value();
  if (MasterAgent* other = AgentAt(pid)) {
    RemoveAgent(other->id(), mesos::v1::TASK_LOST, TaskStatus::REASON_AGENT_REMOVED,
                fmt::format("Agent {} removed: a new agent registered at the same address",
                            other->info.hostname()));
  }
  const bool was_unreachable = registry_.unreachable.erase(id) > 0;
  recovered_.erase(id);
  if (recovered_.empty()) recovered_end_.reset();
  std::erase_if(registry_.agents, [&](const auto& info) { return info.id().value() == id; });
  registry_.agents.push_back(message.agent);
  Save();
  MasterAgent& agent = agents_[id];
  agent.info = message.agent;
  agent.pid = pid;
  agent.version = message.version;
  agent.capabilities = message.capabilities;
  agent.total = TotalResources(message.agent, message.checkpointed_resources);
  for (const auto& operation : message.operations) {
    agent.operations[operation.uuid().value()] = operation;
  }
  agent.deactivated = std::count(registry_.deactivated.begin(), registry_.deactivated.end(), id);
  agent.registered = now_;
  agent.reregistered = now_;
  agent.next_ping = now_;
  AdoptFrameworks(message);
  for (const auto& executor : message.executors) {
    if (!frameworks_.count(executor.framework_id().value())) continue;
    // An executor of a command task is the agent's own business.
    const bool command =
        std::any_of(message.tasks.begin(), message.tasks.end(), [&](const Task& task) {
          return task.framework_id().value() == executor.framework_id().value() &&
                 !task.has_executor_id() &&
                 task.task_id().value() == executor.executor_id().value();
        });
    if (command) continue;
    agent.executors[{executor.framework_id().value(), executor.executor_id().value()}] = executor;
  }
  for (const Task& task : message.tasks) {
    auto found = frameworks_.find(task.framework_id().value());
    if (found == frameworks_.end()) continue;
    MasterFramework& framework = found->second;
    const std::string& task_id = task.task_id().value();
    std::erase_if(framework.unreachable, [&](const auto& entry) { return entry.first == task_id; });
    framework.tasks[task_id] = task;
    agent.tasks.insert({framework.id(), task_id});
    PublishAdded(task);
    if (was_unreachable && !IsTerminal(task.state())) {
      SendStatus(framework, NewStatus(task, task.state(), TaskStatus::REASON_AGENT_REREGISTERED,
                                      "Unreachable agent re-reregistered"));
    }
  }
  Tell(agent, AgentReregistered{agent.info.id(),
                                options_.agent_ping_timeout * options_.max_agent_ping_timeouts});
  TellOfFrameworks(agent, message);
  operators::Event event;
  event.set_type(operators::Event::AGENT_ADDED);
  *event.mutable_agent_added()->mutable_agent() = AgentEntry(*this, agent);
  Publish(std::move(event));
  AddToAllocator(agent);
  GoOnDraining(agent);
}

void Master::AdoptFrameworks(const ReregisterAgent& message) {
  for (const auto& info : message.frameworks) {
    const std::string& id = info.id().value();
    if (frameworks_.count(id) || IsCompleted(id)) continue;
    MasterFramework& framework = frameworks_[id];
    framework.info = info;
    framework.recovered = true;
    framework.registered = now_;
    framework.reregistered = now_;
    allocator_.SetFramework(id, info, {}, {});
    PublishAdded(framework);
  }
  for (const CompletedFramework& entry : message.completed) {
    const std::string& id = entry.framework.id().value();
    if (frameworks_.count(id)) {
      for (const Task& task : entry.tasks) frameworks_.at(id).completed.push_back(task);
    }
  }
}

// The agent learns of frameworks that changed, or ended, while it was away.
void Master::TellOfFrameworks(const MasterAgent& agent, const ReregisterAgent& message) {
  for (const auto& info : message.frameworks) {
    auto found = frameworks_.find(info.id().value());
    if (found == frameworks_.end()) {
      Tell(agent, ShutdownFramework{info.id()});
    } else if (found->second.connected) {
      Tell(agent, UpdateFramework{found->second.info});
    }
  }
}

void Master::On(const std::string& pid, const UnregisterAgent& message) {
  MasterAgent* agent = AgentAt(pid);
  if (!agent || agent->id() != message.agent_id.value()) return;
  RemoveAgent(agent->id(), mesos::v1::TASK_LOST, TaskStatus::REASON_AGENT_REMOVED,
              fmt::format("Agent {} removed: the agent unregistered", agent->info.hostname()));
}

void Master::On(const std::string& pid, const Pong&) {
  if (MasterAgent* agent = AgentAt(pid)) {
    agent->ponged = true;
  } else {
    // It was given up and does not know: it shall register again.
    actions_.emplace_back(SendToAgent{pid, Ping{false}});
  }
}

void Master::On(const AgentLinkCut& input) {
  MasterAgent* agent = AgentAt(input.pid);
  if (agent && agent->connected) DisconnectAgent(*agent);
}

void Master::DisconnectAgent(MasterAgent& agent) {
  agent.connected = false;
  allocator_.SetAgentActive(agent.id(), false);
  RemoveOffersAt(agent);
  // A framework without checkpoints has lost its tasks there, whatever becomes of the agent.
  std::vector<MasterTaskKey> lost;
  for (const MasterTaskKey& key : agent.tasks) {
    if (!frameworks_.at(key.first).info.checkpoint()) lost.push_back(key);
  }
  for (const MasterTaskKey& key : lost) {
    MasterFramework& framework = frameworks_.at(key.first);
    Task& task = framework.tasks.at(key.second);
    if (!IsTerminal(task.state())) {
      const TaskStatus status =
          NewStatus(task, mesos::v1::TASK_LOST, TaskStatus::REASON_AGENT_DISCONNECTED,
                    fmt::format("Agent {} disconnected", agent.info.hostname()));
      UpdateTask(task, status, mesos::v1::TASK_LOST);
      SendStatus(framework, status);
    }
    RemoveTask(key);
  }
  std::vector<MasterExecutorKey> executors;
  for (const auto& [key, executor] : agent.executors) {
    auto found = frameworks_.find(key.first);
    if (found == frameworks_.end() || !found->second.info.checkpoint()) executors.push_back(key);
  }
  for (const MasterExecutorKey& key : executors) RemoveExecutor(agent, key);
}

void Master::RemoveAgent(const std::string& id, TaskState aware_state, TaskStatus::Reason reason,
                         const std::string& message) {
  MasterAgent& agent = agents_.at(id);
  const std::set<MasterTaskKey> tasks = agent.tasks;
  const bool unreachable = aware_state == mesos::v1::TASK_UNREACHABLE;
  for (const MasterTaskKey& key : tasks) {
    MasterFramework& framework = frameworks_.at(key.first);
    Task& task = framework.tasks.at(key.second);
    const bool alive = !IsTerminal(task.state());
    if (alive) {
      const TaskState state = framework.PartitionAware() ? aware_state : mesos::v1::TASK_LOST;
      TaskStatus status = NewStatus(task, state, reason, message);
      if (unreachable) status.mutable_unreachable_time()->set_nanoseconds(now_.nanoseconds);
      UpdateTask(task, status, state);
      SendStatus(framework, std::move(status));
    }
    RemoveTask(key, unreachable && alive);
  }
  std::vector<MasterExecutorKey> executors;
  for (const auto& [key, executor] : agent.executors) executors.push_back(key);
  for (const MasterExecutorKey& key : executors) RemoveExecutor(agent, key);
  RemoveOffersAt(agent);
  ForgetInverseAnswers(id);
  if (unreachable) {
    LoseOperations(agent, mesos::v1::OPERATION_UNREACHABLE, "Agent was marked unreachable");
  } else if (aware_state == mesos::v1::TASK_GONE_BY_OPERATOR) {
    LoseOperations(agent, mesos::v1::OPERATION_GONE_BY_OPERATOR, "Agent has been marked gone");
  }
  for (const auto& [framework_id, framework] : frameworks_) {
    scheduler::Event event;
    event.set_type(scheduler::Event::FAILURE);
    *event.mutable_failure()->mutable_agent_id() = agent.info.id();
    Send(framework, std::move(event));
  }
  operators::Event event;
  event.set_type(operators::Event::AGENT_REMOVED);
  *event.mutable_agent_removed()->mutable_agent_id() = agent.info.id();
  Publish(std::move(event));
  ++counts_.agent_removals;
  allocator_.RemoveAgent(id);
  std::erase_if(registry_.agents, [&](const auto& info) { return info.id().value() == id; });
  // One that is only unreachable comes back as it was.
  if (!unreachable) ForgetService(id);
  agents_.erase(id);
  Save();
}

void Master::MarkUnreachable(const std::string& id) {
  registry_.unreachable[id] = now_;
  RemoveAgent(id, mesos::v1::TASK_UNREACHABLE, TaskStatus::REASON_AGENT_REMOVED,
              "health check timed out");
}

void Master::PingAgents() {
  std::vector<std::string> lost;
  for (auto& [id, agent] : agents_) {
    if (agent.next_ping > now_) continue;
    if (agent.ponged) {
      agent.missed = 0;
    } else if (++agent.missed >= options_.max_agent_ping_timeouts) {
      lost.push_back(id);
      continue;
    }
    agent.ponged = false;
    agent.next_ping = now_ + options_.agent_ping_timeout;
    actions_.emplace_back(SendToAgent{agent.pid, Ping{agent.connected}});
  }
  for (const std::string& id : lost) MarkUnreachable(id);
}

void Master::ExpireRecovered() {
  if (!recovered_end_ || *recovered_end_ > now_) return;
  recovered_end_.reset();
  for (const auto& [id, info] : recovered_) {
    registry_.unreachable[id] = now_;
    std::erase_if(registry_.agents, [&](const auto& entry) { return entry.id().value() == id; });
  }
  recovered_.clear();
  Save();
}

}  // namespace kiln::local
