#include "scheduler/daemon/mesos_link.h"

#include "base/check.h"
#include "base/log.h"
#include "base/utf8.h"
#include "proto/kiln/v1/work.pb.h"
#include "proto/mesos/v1/scheduler.pb.h"
#include "scheduler/daemon/hostname.h"
#include "scheduler/placement/needs.h"
#include "wire/mesos/master_address.h"
#include "wire/net/http.h"

namespace kiln::scheduler {
namespace {

using mesos::v1::scheduler::Event;
using MesosCall = mesos::v1::scheduler::Call;

// What a declined rest of an accepted offer may come back after: at the next allocation.
constexpr double kRestRefused = 0;

wire::SchedulerClientOptions ClientOptions(const Options& options) {
  wire::SchedulerClientOptions client;
  client.masters = options.masters;
  client.encoding = options.encoding;
  client.awaits_authorization = options.service_account.has_value();
  if (!options.secret.empty()) {
    client.authorization = "Basic " + net::Base64Encode(options.principal + ":" + options.secret);
  }
  return client;
}

MesosCall NewCall(MesosCall::Type type) {
  MesosCall call;
  call.set_type(type);
  return call;
}

StatusUpdate ToUpdate(const mesos::v1::TaskStatus& status) {
  StatusUpdate update{.task = {status.task_id().value()},
                      .agent = {status.agent_id().value()},
                      .state = wire::ToTaskState(status.state()),
                      .reason = wire::ReasonName(status),
                      .message = ToUtf8(status.message()),
                      .uuid = status.uuid(),
                      .by_executor = status.source() == mesos::v1::TaskStatus::SOURCE_EXECUTOR};
  if (status.has_healthy()) update.healthy = status.healthy();
  v1::Report report;
  if (status.has_data() && report.ParseFromString(status.data())) {
    update.fraction = report.fraction();
    update.endpoint = report.endpoint();
    update.result = ToUtf8(report.result());
    update.checkpoints = report.checkpoints();
    for (const std::string& gpu : report.sick_gpus()) update.sick_gpus.push_back({gpu});
    if (update.message.empty()) update.message = report.message();
  }
  return update;
}

OperationUpdate::State ToState(mesos::v1::OperationState state) {
  using State = OperationUpdate::State;
  switch (state) {
    case mesos::v1::OPERATION_FINISHED:
      return State::kDone;
    case mesos::v1::OPERATION_PENDING:
    case mesos::v1::OPERATION_UNREACHABLE:
    case mesos::v1::OPERATION_RECOVERING:
      return State::kWaiting;
    case mesos::v1::OPERATION_GONE_BY_OPERATOR:
      return State::kGone;
    case mesos::v1::OPERATION_UNSUPPORTED:
    case mesos::v1::OPERATION_FAILED:
    case mesos::v1::OPERATION_ERROR:
    case mesos::v1::OPERATION_DROPPED:
    case mesos::v1::OPERATION_UNKNOWN:
      return State::kFailed;
  }
  return State::kWaiting;
}

OperationUpdate ToUpdate(const mesos::v1::OperationStatus& status) {
  return {.operation = status.operation_id().value(),
          .agent = {status.agent_id().value()},
          .state = ToState(status.state()),
          .message = ToUtf8(status.message()),
          .uuid = status.uuid().value()};
}

}  // namespace

MesosLink::MesosLink(net::World world, const Options& options, Callbacks callbacks)
    : world_(std::move(world)),
      options_(options),
      callbacks_(std::move(callbacks)),
      client_(world_, ClientOptions(options),
              {.subscribe = [this] { return Subscribe(); },
               .on_event = [this](const Event& event) { OnEvent(event); },
               .on_disconnected = [this](const wire::Disconnected& why) { OnDisconnected(why); },
               .on_answer =
                   [](const wire::CallAnswer& answer) {
                     if (!answer.ok()) LogWarning("a call got {}: {}", answer.status, answer.text);
                   }}) {}

void MesosLink::Start() {
  if (options_.detection && !watch_) {
    KILN_CHECK(world_.loop != nullptr);  // ZooKeeper's client has threads
    watch_.emplace(*world_.loop, *options_.detection,
                   [this](const Result<wire::Leader>& leader) { OnLeader(leader); });
  }
  if (options_.service_account && !login_) StartLogin();
  client_.Start();
}

void MesosLink::StartLogin() {
  login_.emplace(world_, *options_.service_account,
                 DcosLogin::Callbacks{.granted =
                                          [this](const std::string& authorization) {
                                            // Agents are shown it where nobody else can read it.
                                            if (options_.mesos_tls)
                                              agent_authorization_ = authorization;
                                            client_.SetAuthorization(authorization);
                                          },
                                      .failed =
                                          [this](const Error& why) {
                                            if (!subscribed_)
                                              callbacks_.disconnected(why, false, false);
                                          }});
  login_->Start();
}

void MesosLink::OnLeader(const Result<wire::Leader>& leader) {
  const auto master =
      leader ? wire::MasterAddress(leader->node, leader->content) : Failure(leader.error());
  if (master) {
    LogInfo("master {} leads, says {}", master->address, options_.detection->Text());
    return client_.SetMasters({(options_.mesos_tls ? "https://" : "") + master->address},
                              master->name);
  }
  Error why = master.error();
  if (why.code == ErrorCode::kNotFound) {
    why.message = fmt::format("no master leads at {}: waits for one", options_.detection->Text());
  }
  LogWarning("{}", why.message);
  // Whom ZooKeeper named last is kept while nothing newer is known: a master that leads no more
  // ends its streams itself.
  const bool known = leader || why.code == ErrorCode::kNotFound;
  if (known) client_.SetMasters({});
  if (known || !subscribed_) callbacks_.disconnected(why, false, false);
}

mesos::v1::scheduler::Call_Subscribe MesosLink::Subscribe() const {
  using Capability = mesos::v1::FrameworkInfo::Capability;
  mesos::v1::scheduler::Call_Subscribe subscribe;
  mesos::v1::FrameworkInfo& info = *subscribe.mutable_framework_info();
  info.set_user(options_.user);
  info.set_name(options_.framework_name);
  if (const std::string id = callbacks_.framework_id(); !id.empty()) {
    info.mutable_id()->set_value(id);
  }
  info.set_failover_timeout(ToSeconds(options_.failover_timeout));
  info.set_checkpoint(true);
  info.set_hostname(Hostname());
  if (!options_.principal.empty()) info.set_principal(options_.principal);
  info.set_webui_url(options_.webui_url.empty() ? web_url_ : options_.webui_url);
  for (const Capability::Type type :
       {Capability::PARTITION_AWARE, Capability::MULTI_ROLE, Capability::GPU_RESOURCES,
        Capability::RESERVATION_REFINEMENT, Capability::TASK_KILLING_STATE,
        Capability::REGION_AWARE, Capability::REVOCABLE_RESOURCES}) {
    info.add_capabilities()->set_type(type);
  }
  for (const std::string& role : options_.roles) info.add_roles(role);
  for (const std::string& role : callbacks_.suppressed()) subscribe.add_suppressed_roles(role);
  return subscribe;
}

void MesosLink::OnEvent(const Event& event) {
  switch (event.type()) {
    case Event::SUBSCRIBED: {
      const auto& master = event.subscribed().master_info();
      offers_.clear();
      error_.clear();
      subscribed_ = true;
      return callbacks_.subscribed(
          event.subscribed().framework_id().value(),
          fmt::format("{}:{}",
                      master.has_address() && master.address().has_hostname()
                          ? master.address().hostname()
                          : master.hostname(),
                      master.port()));
    }
    case Event::OFFERS:
      for (const mesos::v1::Offer& offer : event.offers().offers()) {
        std::vector<ExecutorId> executors;
        for (const auto& id : offer.executor_ids()) executors.push_back({id.value()});
        offers_[{offer.id().value()}] = offer;
        callbacks_.offer(wire::ToOffer(offer, world_.Now()), executors);
      }
      return;
    case Event::RESCIND:
      offers_.erase({event.rescind().offer_id().value()});
      return callbacks_.rescinded({event.rescind().offer_id().value()});
    case Event::UPDATE:
      return callbacks_.update(ToUpdate(event.update().status()));
    case Event::UPDATE_OPERATION_STATUS:
      return callbacks_.operation(ToUpdate(event.update_operation_status().status()));
    case Event::FAILURE:
      if (event.failure().has_executor_id()) {
        return callbacks_.executor_lost({event.failure().executor_id().value()},
                                        {event.failure().agent_id().value()});
      }
      return callbacks_.agent_lost({event.failure().agent_id().value()});
    case Event::ERROR:
      error_ = event.error().message();
      LogError("the master refuses: {}", error_);
      return;
    default:
      return;
  }
}

void MesosLink::OnDisconnected(const wire::Disconnected& disconnected) {
  offers_.clear();
  subscribed_ = false;
  if (login_ && disconnected.why.code == ErrorCode::kPermissionDenied) login_->Refused();
  const bool removed = error_.find("Framework has been removed") != std::string::npos;
  const Error why =
      error_.empty() ? disconnected.why : Error{ErrorCode::kFailedPrecondition, error_, {}};
  callbacks_.disconnected(why, disconnected.final, removed);
}

void MesosLink::Call(MesosCall call) {
  const auto sent = client_.Call(std::move(call));
  if (!sent) LogInfo("a call is not sent: {}", sent.error().message);
}

Result<mesos::v1::TaskInfo> MesosLink::Build(const LaunchCall& start, const State& state,
                                             const Settings& settings,
                                             const TaskInfoOptions& task_options,
                                             wire::OfferedResources& offered,
                                             wire::OperationList& operations) {
  const Task& task = state.tasks.at(start.task);
  const JobRecord& record = state.jobs.at(task.member.job);
  const Group& group = *FindGroup(record.job, task.member.group);
  mesos::v1::ExecutorInfo executor;
  if (const auto known = executors_.find(task.executor); known != executors_.end()) {
    executor = known->second;
  } else {
    executor = ExecutorInfoFor(task, group, state.framework_id, task_options);
    if (start.new_executor) {
      const Resources takes = start.ExecutorTakes(ExecutorFor(group, settings.executor));
      KILN_TRY(*executor.mutable_resources(), offered.Take(takes));
    }
    if (!start.pool.empty()) executors_[task.executor] = executor;
  }
  for (const std::string& id : start.volumes) {
    const VolumeRecord& volume = state.volumes.at(id);
    KILN_TRY(mesos::v1::Resource disk, offered.TakeDisk(volume.size));
    wire::ResourceList made;
    *made.Add() = wire::MakeVolume(std::move(disk),
                                   {.id = id,
                                    .path = volume.path,
                                    .role = volume.role,
                                    .principal = options_.principal,
                                    .reserve = OperationId(volume, VolumeStep::kReserve),
                                    .create = OperationId(volume, VolumeStep::kCreate)},
                                   operations);
    offered.Add(made);
  }
  KILN_TRY(wire::ResourceList resources, offered.Take(task.resources));
  return TaskInfoFor(task, state, std::move(executor), std::move(resources), task_options);
}

std::vector<MesosLink::FailedStart> MesosLink::Accept(const std::vector<LaunchCall>& starts,
                                                      const State& state, const Settings& settings,
                                                      const TaskInfoOptions& task_options) {
  std::vector<FailedStart> failed;
  std::map<std::vector<OfferId>, std::vector<const LaunchCall*>> by_offers;
  for (const LaunchCall& start : starts) by_offers[start.offers].push_back(&start);
  for (const auto& [ids, group] : by_offers) {
    MesosCall call = NewCall(MesosCall::ACCEPT);
    wire::OfferedResources offered;
    for (const OfferId& id : ids) {
      call.mutable_accept()->add_offer_ids()->set_value(id.text);
      const auto offer = offers_.find(id);
      if (offer == offers_.end()) continue;
      offered.Add(offer->second.resources());
      offers_.erase(offer);
    }
    mesos::v1::Offer::Operation operation;
    operation.set_type(mesos::v1::Offer::Operation::LAUNCH);
    for (const LaunchCall* start : group) {
      wire::OperationList before;  // the volumes that the task uses
      auto info = Build(*start, state, settings, task_options, offered, before);
      if (info) {
        for (auto& one : before) *call.mutable_accept()->add_operations() = std::move(one);
        *operation.mutable_launch()->add_task_infos() = *std::move(info);
      } else {
        LogWarning("task {} is not launched: {}", start->task.text, info.error().message);
        failed.push_back({start->task, info.error()});
      }
    }
    *call.mutable_accept()->add_operations() = std::move(operation);
    call.mutable_accept()->mutable_filters()->set_refuse_seconds(kRestRefused);
    Call(std::move(call));
  }
  return failed;
}

void MesosLink::Remove(const std::vector<RemovalCall>& removals) {
  for (const RemovalCall& removal : removals) {
    MesosCall call = NewCall(MesosCall::ACCEPT);
    wire::OperationList operations;
    for (const OfferId& id : removal.offers) {
      call.mutable_accept()->add_offer_ids()->set_value(id.text);
      const auto offer = offers_.find(id);
      if (offer == offers_.end()) continue;
      for (const RemovalCall::One& one : removal.volumes) {
        const Status found = wire::RemoveVolume(offer->second.resources(), one.volume, one.destroy,
                                                one.unreserve, operations);
        if (!found) LogWarning("{}", found.error().message);
      }
      offers_.erase(offer);
    }
    for (auto& one : operations) *call.mutable_accept()->add_operations() = std::move(one);
    call.mutable_accept()->mutable_filters()->set_refuse_seconds(kRestRefused);
    Call(std::move(call));
  }
}

void MesosLink::Answer(const OfferCalls& calls) {
  // A role is suppressed before its offers go back, and revived after: so neither is undone.
  if (!calls.suppress.empty()) {
    MesosCall call = NewCall(MesosCall::SUPPRESS);
    for (const std::string& role : calls.suppress) call.mutable_suppress()->add_roles(role);
    Call(std::move(call));
  }
  for (const DeclineCall& decline : calls.declines) {
    MesosCall call = NewCall(MesosCall::DECLINE);
    for (const OfferId& id : decline.offers) {
      call.mutable_decline()->add_offer_ids()->set_value(id.text);
      offers_.erase(id);
    }
    call.mutable_decline()->mutable_filters()->set_refuse_seconds(ToSeconds(decline.refuse));
    Call(std::move(call));
  }
  if (!calls.revive.empty()) {
    MesosCall call = NewCall(MesosCall::REVIVE);
    for (const std::string& role : calls.revive) call.mutable_revive()->add_roles(role);
    Call(std::move(call));
  }
}

void MesosLink::Send(const Effects& effects) {
  for (const Acknowledgement& one : effects.acknowledgements) {
    MesosCall call = NewCall(MesosCall::ACKNOWLEDGE);
    call.mutable_acknowledge()->mutable_agent_id()->set_value(one.agent.text);
    call.mutable_acknowledge()->mutable_task_id()->set_value(one.task.text);
    call.mutable_acknowledge()->set_uuid(one.uuid);
    Call(std::move(call));
  }
  SendOperationCalls(effects);
  for (const KillCall& one : effects.kills) {
    MesosCall call = NewCall(MesosCall::KILL);
    call.mutable_kill()->mutable_task_id()->set_value(one.task.text);
    if (!one.agent.empty()) call.mutable_kill()->mutable_agent_id()->set_value(one.agent.text);
    Call(std::move(call));
  }
  for (const ShutdownCall& one : effects.shutdowns) {
    MesosCall call = NewCall(MesosCall::SHUTDOWN);
    call.mutable_shutdown()->mutable_executor_id()->set_value(one.executor.text);
    call.mutable_shutdown()->mutable_agent_id()->set_value(one.agent.text);
    executors_.erase(one.executor);
    Call(std::move(call));
  }
  for (const ReconcileCall& one : effects.reconciles) {
    MesosCall call = NewCall(MesosCall::RECONCILE);
    call.mutable_reconcile();
    for (const auto& [task, agent] : one.tasks) {
      auto& entry = *call.mutable_reconcile()->add_tasks();
      entry.mutable_task_id()->set_value(task.text);
      if (!agent.empty()) entry.mutable_agent_id()->set_value(agent.text);
    }
    Call(std::move(call));
  }
}

void MesosLink::SendOperationCalls(const Effects& effects) {
  for (const OperationAcknowledgement& one : effects.operation_acknowledgements) {
    MesosCall call = NewCall(MesosCall::ACKNOWLEDGE_OPERATION_STATUS);
    auto& acknowledge = *call.mutable_acknowledge_operation_status();
    acknowledge.mutable_agent_id()->set_value(one.agent.text);
    acknowledge.mutable_operation_id()->set_value(one.operation);
    acknowledge.set_uuid(one.uuid);
    Call(std::move(call));
  }
  if (effects.operations_asked.empty()) return;
  MesosCall call = NewCall(MesosCall::RECONCILE_OPERATIONS);
  for (const auto& [operation, agent] : effects.operations_asked) {
    auto& entry = *call.mutable_reconcile_operations()->add_operations();
    entry.mutable_operation_id()->set_value(operation);
    entry.mutable_agent_id()->set_value(agent.text);
  }
  Call(std::move(call));
}

void MesosLink::Teardown() { Call(NewCall(MesosCall::TEARDOWN)); }

void MesosLink::KeepExecutors(const std::function<bool(const ExecutorId&)>& known) {
  std::erase_if(executors_, [&](const auto& entry) { return !known(entry.first); });
}

}  // namespace kiln::scheduler
