// The life of a framework in the master: subscription, failover, change, disconnection, removal.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "local/cluster/agent_updates.h"
#include "local/cluster/master.h"
#include "local/cluster/master_views.h"
#include "local/cluster/validation.h"

namespace kiln::local {

namespace scheduler = mesos::v1::scheduler;
namespace operators = mesos::v1::master;
using mesos::v1::FrameworkInfo;

namespace {

constexpr Duration kHeartbeatInterval = std::chrono::seconds(15);

scheduler::Event ErrorEvent(const std::string& message) {
  scheduler::Event event;
  event.set_type(scheduler::Event::ERROR);
  event.mutable_error()->set_message(message);
  return event;
}

std::set<std::string> SetOf(const google::protobuf::RepeatedPtrField<std::string>& list) {
  return {list.begin(), list.end()};
}

}  // namespace

void Master::Subscribe(const SchedulerCall& input) {
  const scheduler::Call::Subscribe& subscribe = input.call.subscribe();
  FrameworkInfo info = subscribe.framework_info();
  if (!info.has_principal() && input.principal) info.set_principal(*input.principal);
  const std::string stream = NewUuid();
  actions_.emplace_back(OpenSchedulerStream{input.request, stream});
  OfferConstraints constraints;
  if (Objection objection = RefuseSubscription(info, subscribe, &constraints)) {
    actions_.emplace_back(SendToScheduler{stream, ErrorEvent(*objection)});
    actions_.emplace_back(CloseSchedulerStream{stream});
    return;
  }
  if (info.id().value().empty()) {
    info.mutable_id()->set_value(fmt::format("{}-{:04d}", info_.id(), next_framework_++));
  }
  const std::string& id = info.id().value();
  if (auto found = frameworks_.find(id); found != frameworks_.end()) {
    FailOver(found->second, info, subscribe, std::move(constraints), stream);
    return;
  }
  MasterFramework& framework = frameworks_[id];
  framework.info = info;
  framework.registered = now_;
  allocator_.SetFramework(id, info, SetOf(subscribe.suppressed_roles()), constraints);
  framework.constraints = std::move(constraints);
  Start(framework, stream);
  PublishAdded(framework);
  allocator_.Activate(id);
  Allocate();
}

Objection Master::RefuseSubscription(const FrameworkInfo& info,
                                     const scheduler::Call::Subscribe& subscribe,
                                     OfferConstraints* constraints) const {
  if (Objection objection = ValidateFramework(info)) return objection;
  const std::set<std::string> roles = RolesOf(info);
  if (Objection objection = ValidateSuppressedRoles(roles, SetOf(subscribe.suppressed_roles()))) {
    return objection;
  }
  if (!options_.root_submissions && info.user() == "root") {
    return "User 'root' is not allowed to run frameworks without --root_submissions set";
  }
  const std::string& id = info.id().value();
  if (!id.empty() && IsCompleted(id)) return "Framework has been removed";
  if (auto objection = OfferConstraints::Make(subscribe.offer_constraints(), roles, constraints)) {
    return objection;
  }
  const std::optional<std::string> principal =
      info.has_principal() ? std::optional(info.principal()) : std::nullopt;
  for (const std::string& role : roles) {
    if (!Allows(options_.acls.register_frameworks, options_.acls.permissive, principal, role)) {
      return fmt::format("Not authorized to register framework {} with roles {{ {} }}", id,
                         fmt::join(roles, ", "));
    }
  }
  if (auto found = frameworks_.find(id); found != frameworks_.end() && !found->second.recovered) {
    return ValidateFrameworkChange(found->second.info, info, false);
  }
  return std::nullopt;
}

// Tells the framework that its stream is open.
void Master::Start(MasterFramework& framework, const std::string& stream) {
  framework.stream = stream;
  framework.connected = true;
  framework.recovered = false;
  framework.removal.reset();
  framework.reregistered = now_;
  framework.heartbeat = now_ + kHeartbeatInterval;
  scheduler::Event event;
  event.set_type(scheduler::Event::SUBSCRIBED);
  *event.mutable_subscribed()->mutable_framework_id() = framework.info.id();
  event.mutable_subscribed()->set_heartbeat_interval_seconds(ToSeconds(kHeartbeatInterval));
  *event.mutable_subscribed()->mutable_master_info() = info_;
  Send(framework, std::move(event));
  scheduler::Event heartbeat;
  heartbeat.set_type(scheduler::Event::HEARTBEAT);
  Send(framework, std::move(heartbeat));
}

void Master::FailOver(MasterFramework& framework, const FrameworkInfo& info,
                      const scheduler::Call::Subscribe& subscribe, OfferConstraints constraints,
                      const std::string& stream) {
  const bool was_connected = framework.connected;
  if (was_connected) {
    Send(framework, ErrorEvent("Framework failed over"));
    actions_.emplace_back(CloseSchedulerStream{framework.stream});
  }
  RemoveOffersOf(framework);
  if (framework.recovered) framework.registered = now_;
  Change(framework, info, SetOf(subscribe.suppressed_roles()), std::move(constraints));
  Start(framework, stream);
  for (const auto& [id, agent] : agents_) Tell(agent, UpdateFramework{framework.info});
  PublishUpdate(framework);
  // One that was never away is not new to the allocator: it waits for the next batch.
  if (was_connected) return;
  allocator_.Activate(framework.id());
  Allocate();
}

void Master::Update(MasterFramework& framework, const SchedulerCall& input) {
  const scheduler::Call::UpdateFramework& update = input.call.update_framework();
  FrameworkInfo info = update.framework_info();
  if (!info.has_principal() && input.principal) info.set_principal(*input.principal);
  if (Objection objection = ValidateFramework(info)) {
    return Answer(input.request, 400, "Supplied FrameworkInfo is not valid: " + *objection);
  }
  if (Objection objection = ValidateFrameworkChange(framework.info, info, true)) {
    return Answer(input.request, 400, "FrameworkInfo update is not valid: " + *objection);
  }
  const std::set<std::string> roles = RolesOf(info);
  const std::set<std::string> suppressed = SetOf(update.suppressed_roles());
  if (Objection objection = ValidateSuppressedRoles(roles, suppressed)) {
    return Answer(input.request, 400, "'UpdateFramework' call is not valid: " + *objection);
  }
  OfferConstraints constraints;
  if (auto objection = OfferConstraints::Make(update.offer_constraints(), roles, &constraints)) {
    return Answer(input.request, 400, "'UpdateFramework' call is not valid: " + *objection);
  }
  for (const std::string& role : roles) {
    if (!Allows(options_.acls.register_frameworks, options_.acls.permissive,
                info.has_principal() ? std::optional(info.principal()) : std::nullopt, role)) {
      return Answer(input.request, 403, fmt::format("Not authorized to use role '{}'", role));
    }
  }
  Change(framework, info, suppressed, std::move(constraints));
  for (const auto& [id, agent] : agents_) Tell(agent, UpdateFramework{framework.info});
  PublishUpdate(framework);
  Answer(input.request, 200);
}

void Master::PublishAdded(const MasterFramework& framework) {
  operators::Event event;
  event.set_type(operators::Event::FRAMEWORK_ADDED);
  *event.mutable_framework_added()->mutable_framework() = FrameworkEntry(framework);
  Publish(std::move(event));
}

void Master::PublishUpdate(const MasterFramework& framework) {
  operators::Event event;
  event.set_type(operators::Event::FRAMEWORK_UPDATED);
  *event.mutable_framework_updated()->mutable_framework() = FrameworkEntry(framework);
  Publish(std::move(event));
}

void Master::PublishAdded(const mesos::v1::Task& task) {
  operators::Event event;
  event.set_type(operators::Event::TASK_ADDED);
  *event.mutable_task_added()->mutable_task() = task;
  Publish(std::move(event));
}

void Master::Change(MasterFramework& framework, const FrameworkInfo& info,
                    const std::set<std::string>& suppressed, OfferConstraints constraints) {
  FrameworkInfo changed = info;
  // What a framework is launched as stays: agents have started executors with it.
  changed.set_user(framework.info.user());
  if (framework.info.has_checkpoint() || info.has_checkpoint()) {
    changed.set_checkpoint(framework.info.checkpoint());
  }
  framework.info = changed;
  const std::set<std::string> roles = RolesOf(changed);
  std::set<std::string> lost;
  for (const std::string& id : framework.offers) {
    if (!roles.count(offers_.at(id).role())) lost.insert(id);
  }
  RemoveOffers(lost, true);
  allocator_.SetFramework(framework.id(), changed, suppressed, constraints);
  framework.constraints = std::move(constraints);
}

void Master::Disconnect(MasterFramework& framework) {
  framework.connected = false;
  framework.heartbeat.reset();
  RemoveOffersOf(framework);
  allocator_.Deactivate(framework.id());
  std::erase_if(inverse_filters_,
                [&](const auto& entry) { return entry.first.first == framework.id(); });
  // Longer ones are valid, and lead out of time itself.
  constexpr double kCentury = 100 * 365.25 * 86400;
  const Duration timeout =
      FromSeconds(std::clamp(framework.info.failover_timeout(), 0.0, kCentury));
  if (timeout == Duration::zero()) {
    Remove(framework.id());
  } else {
    framework.removal = now_ + timeout;
  }
}

void Master::Remove(const std::string& framework_id) {
  MasterFramework& framework = frameworks_.at(framework_id);
  if (framework.connected) actions_.emplace_back(CloseSchedulerStream{framework.stream});
  framework.connected = false;
  framework.heartbeat.reset();
  framework.removal.reset();
  framework.unregistered = now_;
  RemoveOffersOf(framework);
  for (const auto& [id, agent] : agents_) Tell(agent, ShutdownFramework{framework.info.id()});
  std::vector<std::string> tasks;
  std::set<std::string> agents;
  for (const auto& [id, task] : framework.tasks) {
    tasks.push_back(id);
    agents.insert(task.agent_id().value());
  }
  for (const std::string& id : tasks) {
    mesos::v1::Task& task = framework.tasks.at(id);
    if (!IsTerminal(task.state())) {
      UpdateTask(
          task,
          NewStatus(task, mesos::v1::TASK_KILLED, mesos::v1::TaskStatus::REASON_FRAMEWORK_REMOVED,
                    "Framework " + framework_id + " removed"),
          mesos::v1::TASK_KILLED);
    }
    RemoveTask({framework_id, id});
  }
  for (auto& [id, agent] : agents_) {
    std::vector<MasterExecutorKey> executors;
    for (const auto& [key, executor] : agent.executors) {
      if (key.first == framework_id) executors.push_back(key);
    }
    for (const MasterExecutorKey& key : executors) RemoveExecutor(agent, key);
  }
  operators::Event event;
  event.set_type(operators::Event::FRAMEWORK_REMOVED);
  *event.mutable_framework_removed()->mutable_framework_info() = framework.info;
  Publish(std::move(event));
  allocator_.RemoveFramework(framework_id);
  auto node = frameworks_.extract(framework_id);
  RememberCompleted(std::move(node.mapped()));
  for (const std::string& id : agents) EndDrain(id);
}

bool Master::IsCompleted(const std::string& framework_id) const {
  return std::any_of(completed_.begin(), completed_.end(), [&](const MasterFramework& framework) {
    return framework.id() == framework_id;
  });
}

void Master::RememberCompleted(MasterFramework framework) {
  completed_.push_back(std::move(framework));
  while (completed_.size() > options_.max_completed_frameworks) completed_.pop_front();
}

}  // namespace kiln::local
