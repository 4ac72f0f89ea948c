// A Mesos master as a state machine: what it knows, and what it makes of calls, agents' messages
// and time.
#pragma once

#include <deque>
#include <functional>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/time.h"
#include "local/cluster/allocator.h"
#include "local/cluster/master_state.h"
#include "local/cluster/master_values.h"
#include "local/cluster/task_validation.h"
#include "proto/mesos/v1/master.pb.h"
#include "proto/mesos/v1/scheduler.pb.h"

namespace kiln::local {

using MasterActions = std::vector<MasterAction>;

struct MasterCounts {
  std::map<mesos::v1::TaskState, int> tasks;  // that reached a terminal state
  int valid_status_updates = 0, invalid_status_updates = 0;
  int valid_status_update_acknowledgements = 0, invalid_status_update_acknowledgements = 0;
  int messages = 0, dropped_messages = 0;
  int agent_registrations = 0, agent_reregistrations = 0, agent_removals = 0;
  int offers_sent = 0, offers_rescinded = 0;
};

// Every input gives actions; the shell does them in order before the next input.
// Threads: none of its own, not for several at once. Time comes with the inputs.
class Master {
 public:
  // With the registry of a former life, or an empty one.
  Master(MasterOptions options, Random random, Registry registry, Instant now);

  MasterActions Handle(const MasterInput& input, Instant now);
  // When MasterTick has something to do.
  std::optional<Instant> NextTimer() const;

  // An operator's question; nothing for calls that ask none.
  std::optional<mesos::v1::master::Response> View(const mesos::v1::master::Call& call) const;

  const MasterOptions& options() const { return options_; }
  const mesos::v1::MasterInfo& info() const { return info_; }
  Instant started() const { return started_; }
  const std::map<std::string, MasterFramework>& frameworks() const { return frameworks_; }
  const std::deque<MasterFramework>& completed_frameworks() const { return completed_; }
  const std::map<std::string, MasterAgent>& agents() const { return agents_; }
  const std::map<std::string, MasterOffer>& offers() const { return offers_; }
  const std::map<std::string, MasterInverseOffer>& inverse_offers() const {
    return inverse_offers_;
  }
  // Of a former life, not back yet.
  const std::map<std::string, mesos::v1::AgentInfo>& recovered() const { return recovered_; }
  const Registry& registry() const { return registry_; }
  const MasterCounts& counts() const { return counts_; }
  size_t operator_streams() const { return operators_.size(); }
  const Allocator& allocator() const { return allocator_; }
  // What its tasks and executors hold: of a framework, of an agent.
  Resources UsedBy(const MasterFramework& framework) const;
  Resources UsedAt(const MasterAgent& agent) const;
  Resources OfferedTo(const MasterFramework& framework) const;
  Resources OfferedAt(const MasterAgent& agent) const;

 private:
  // dispatch and timers: master.cc
  void On(const SchedulerCall& input);
  void On(const SchedulerStreamClosed& input);
  void On(const OperatorCall& input);
  void On(const OperatorStreamClosed& input);
  void On(const FromAgent& input);
  void On(const AgentLinkCut& input);
  void On(const MasterTick& input);
  void On(const RescindOffer& input);
  void Answer(uint64_t request, int status, std::string text = {});
  void Send(const MasterFramework& framework, mesos::v1::scheduler::Event event);
  void Tell(const MasterAgent& agent, MasterToAgent message);
  void Publish(mesos::v1::master::Event event);
  void PublishAdded(const MasterFramework& framework);
  void PublishUpdate(const MasterFramework& framework);
  void PublishAdded(const mesos::v1::Task& task);
  void Save();
  std::string NewUuid();

  // offers: master_offers.cc
  void Allocate(const std::set<std::string>* agents = nullptr);
  void SendOffers(const MasterFramework& framework, const std::vector<std::string>& offers);
  // The offer is gone and its resources are free; with `rescind` its framework is told.
  void RemoveOffer(const std::string& id, bool rescind, std::optional<Duration> refuse = {});
  void RemoveOffers(std::set<std::string> ids, bool rescind);
  void Decline(MasterFramework& framework, const mesos::v1::scheduler::Call::Decline& decline);

  // frameworks: master_frameworks.cc
  void Subscribe(const SchedulerCall& input);
  Objection RefuseSubscription(const mesos::v1::FrameworkInfo& info,
                               const mesos::v1::scheduler::Call::Subscribe& subscribe,
                               OfferConstraints* constraints) const;
  void Start(MasterFramework& framework, const std::string& stream);
  void FailOver(MasterFramework& framework, const mesos::v1::FrameworkInfo& info,
                const mesos::v1::scheduler::Call::Subscribe& subscribe,
                OfferConstraints constraints, const std::string& stream);
  void Update(MasterFramework& framework, const SchedulerCall& input);
  void Change(MasterFramework& framework, const mesos::v1::FrameworkInfo& info,
              const std::set<std::string>& suppressed, OfferConstraints constraints);
  void Disconnect(MasterFramework& framework);
  void Remove(const std::string& framework_id);
  bool IsCompleted(const std::string& framework_id) const;
  void RememberCompleted(MasterFramework framework);

  // scheduler calls: master_calls.cc
  std::optional<AnswerRequest> RefuseCall(const SchedulerCall& input) const;
  void Dispatch(MasterFramework& framework, const SchedulerCall& input);
  void Kill(MasterFramework& framework, const mesos::v1::scheduler::Call::Kill& kill);
  void Acknowledge(MasterFramework& framework,
                   const mesos::v1::scheduler::Call::Acknowledge& acknowledge);
  void Reconcile(MasterFramework& framework,
                 const mesos::v1::scheduler::Call::Reconcile& reconcile);
  void ReconcileTask(MasterFramework& framework, const mesos::v1::TaskID& task_id,
                     const std::optional<mesos::v1::AgentID>& agent_id);
  void SuppressOrRevive(MasterFramework& framework, const mesos::v1::scheduler::Call& call);

  // ACCEPT: master_accept.cc
  struct Acceptance;
  void Accept(MasterFramework& framework, const mesos::v1::scheduler::Call::Accept& accept);
  Objection RefuseOffers(const MasterFramework& framework,
                         const mesos::v1::scheduler::Call::Accept& accept) const;
  void Apply(Acceptance& acceptance, mesos::v1::Offer::Operation operation);
  void Launch(Acceptance& acceptance, mesos::v1::Offer::Operation::Launch& launch);
  void LaunchGroup(Acceptance& acceptance, mesos::v1::Offer::Operation::LaunchGroup& launch);
  Objection Unauthorized(const MasterFramework& framework, const mesos::v1::TaskInfo& task,
                         const mesos::v1::ExecutorInfo* executor) const;
  bool AddExecutor(Acceptance& acceptance, const mesos::v1::ExecutorInfo& executor);
  static std::optional<bool> SharesCgroups(const Acceptance& acceptance,
                                           const mesos::v1::ExecutorID& executor_id);
  void AddTask(Acceptance& acceptance, const mesos::v1::TaskInfo& task,
               const mesos::v1::ExecutorID* executor_id);
  void RefuseOperation(const MasterFramework& framework,
                       const mesos::v1::Offer::Operation& operation, mesos::v1::TaskState state,
                       mesos::v1::TaskStatus::Reason reason, const std::string& task_message,
                       const std::string& operation_message);
  void Convert(Acceptance& acceptance, mesos::v1::Offer::Operation& operation);

  // operations on resources: master_operations.cc
  void On(const std::string& pid, const UpdateOperationStatus& message);
  void SendOperationStatus(const MasterFramework& framework, mesos::v1::OperationStatus status);
  mesos::v1::Operation* FindOperation(const MasterFramework& framework,
                                      const mesos::v1::OperationID& id);
  void AcknowledgeOperation(
      const MasterFramework& framework,
      const mesos::v1::scheduler::Call::AcknowledgeOperationStatus& acknowledge);
  void ReconcileOperations(MasterFramework& framework,
                           const mesos::v1::scheduler::Call::ReconcileOperations& reconcile);
  mesos::v1::OperationStatus UnknownOperation(
      const mesos::v1::scheduler::Call::ReconcileOperations::Operation& question) const;
  // Tells the frameworks of all operations of an agent.
  void LoseOperations(const MasterAgent& agent, mesos::v1::OperationState state,
                      const std::string& message);
  // What the agent brings with it is the truth.
  void ReturnOperations(MasterAgent& agent, const ReregisterAgent& message);

  // tasks: master_tasks.cc
  void On(const std::string& pid, const StatusUpdate& message);
  void On(const std::string& pid, const ExitedExecutor& message);
  void On(const std::string& pid, const ExecutorToFramework& message);
  mesos::v1::TaskStatus NewStatus(const mesos::v1::TaskID& task_id, mesos::v1::TaskState state,
                                  mesos::v1::TaskStatus::Reason reason,
                                  const std::string& message) const;
  // Of a task that is known: with its agent and executor.
  mesos::v1::TaskStatus NewStatus(const mesos::v1::Task& task, mesos::v1::TaskState state,
                                  mesos::v1::TaskStatus::Reason reason,
                                  const std::string& message) const;
  void SendStatus(const MasterFramework& framework, mesos::v1::TaskStatus status);
  void UpdateTask(mesos::v1::Task& task, const mesos::v1::TaskStatus& status,
                  mesos::v1::TaskState latest);
  void RemoveTask(const MasterTaskKey& key, bool unreachable = false);
  void RemoveExecutor(MasterAgent& agent, const MasterExecutorKey& key);

  // agents: master_agents.cc
  void On(const std::string& pid, const RegisterAgent& message);
  void On(const std::string& pid, const ReregisterAgent& message);
  void On(const std::string& pid, const UnregisterAgent& message);
  void On(const std::string& pid, const Pong& message);
  MasterAgent* AgentAt(const std::string& pid);
  MasterAgent* FindAgent(const std::string& id);
  void Return(MasterAgent& agent, const ReregisterAgent& message);
  void Readmit(const std::string& pid, const ReregisterAgent& message);
  void AdoptFrameworks(const ReregisterAgent& message);
  void TellOfFrameworks(const MasterAgent& agent, const ReregisterAgent& message);
  void AddToAllocator(const MasterAgent& agent);
  void DisconnectAgent(MasterAgent& agent);
  // All its tasks get this state, its frameworks a FAILURE.
  void RemoveAgent(const std::string& id, mesos::v1::TaskState aware_state,
                   mesos::v1::TaskStatus::Reason reason, const std::string& message);
  void MarkUnreachable(const std::string& id);
  void PingAgents();
  void ExpireRecovered();

  // agents out of service: master_drain.cc
  // Registered, unreachable, or of a former life.
  bool IsKnownAgent(const std::string& id) const;
  void Drain(const OperatorCall& input);
  void Deactivate(const OperatorCall& input);
  void Deactivate(const std::string& id);
  void Reactivate(const OperatorCall& input);
  // That an operator took it out of service; the registry is not yet saved.
  void ForgetService(const std::string& id);
  // A draining agent is told so, each time it registers.
  void GoOnDraining(MasterAgent& agent);
  // Once nothing is left to wait for. The agent may be marked gone, and removed.
  void EndDrain(const std::string& id);

  // maintenance and inverse offers: master_maintenance.cc
  using OfferIds = google::protobuf::RepeatedPtrField<mesos::v1::OfferID>;
  const mesos::v1::Unavailability* UnavailabilityOf(const MasterAgent& agent) const;
  std::vector<std::string> AgentsOn(const mesos::v1::MachineID& machine) const;
  void UpdateSchedule(const OperatorCall& input);
  void StartMaintenance(const OperatorCall& input);
  void StopMaintenance(const OperatorCall& input);
  // `objection` is to a machine that is down, or is not, unlike `down`.
  Objection RefuseMachines(const MachineList& machines, bool down, const char* objection) const;
  // Agents of a machine that is down may not register: true if this one is told so.
  bool RefuseMachineDown(const std::string& pid, const mesos::v1::AgentInfo& agent);
  mesos::v1::master::ClusterStatus MaintenanceStatus() const;
  // Those that have something to lose there.
  std::set<std::string> FrameworksAt(const MasterAgent& agent) const;
  bool WantsInverseOffer(const std::string& framework_id, const std::string& agent_id) const;
  std::string NewOfferId() { return info_.id() + "-O" + std::to_string(next_offer_++); }
  void SendInverseOffers(const std::set<std::string>* agents);
  void AnswerInverseOffers(const MasterFramework& framework, const OfferIds& ids,
                           const mesos::v1::Filters& filters,
                           mesos::v1::master::InverseOfferStatus::Status answer);
  void RemoveInverseOffers(const std::function<bool(const MasterInverseOffer&)>& which,
                           bool rescind);
  // Offers and inverse offers of an agent, taken back; of a framework, which is away.
  void RemoveOffersAt(const MasterAgent& agent);
  void RemoveOffersOf(const MasterFramework& framework);
  void ForgetInverseAnswers(const std::string& agent_id);

  // operators: master_operator.cc, master_views.cc
  void MarkGone(const OperatorCall& input);
  void MarkGone(const std::string& id);
  void SubscribeOperator(const OperatorCall& input);

  MasterOptions options_;
  Random random_;
  Allocator allocator_;
  Registry registry_;
  mesos::v1::MasterInfo info_;
  Instant started_;
  Instant now_;  // of the input being handled
  MasterActions actions_;
  MasterCounts counts_;

  std::map<std::string, MasterFramework> frameworks_;
  std::deque<MasterFramework> completed_;
  std::map<std::string, MasterAgent> agents_;
  std::map<std::string, mesos::v1::AgentInfo> recovered_;  // of the registry, not back yet
  std::optional<Instant> recovered_end_;
  std::map<std::string, MasterOffer> offers_;
  std::map<std::string, MasterInverseOffer> inverse_offers_;
  // Framework id and agent id: none is made again until then.
  std::map<std::pair<std::string, std::string>, Instant> inverse_filters_;
  // Agent id, framework id: the last answer to this schedule.
  std::map<std::string, std::map<std::string, mesos::v1::master::InverseOfferStatus>>
      inverse_answers_;
  std::list<OperatorSubscriber> operators_;
  Instant next_allocation_;
  uint64_t next_framework_ = 0;
  uint64_t next_agent_ = 0;
  uint64_t next_offer_ = 0;  // of offers and inverse offers
};

}  // namespace kiln::local
