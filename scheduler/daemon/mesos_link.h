// The scheduler's side of Mesos: events as values, decisions as calls.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "scheduler/daemon/dcos_login.h"
#include "scheduler/daemon/options.h"
#include "scheduler/daemon/task_info.h"
#include "scheduler/lifecycle/lifecycle.h"
#include "scheduler/lifecycle/offer_book.h"
#include "wire/mesos/scheduler_client.h"
#include "wire/zookeeper/leader.h"

namespace kiln::scheduler {

// Threads: the agenda's alone. Owner: the scheduler.
class MesosLink {
 public:
  // What comes from the master, in its order.
  struct Callbacks {
    std::function<void(const std::string& framework_id, const std::string& master)> subscribed;
    std::function<void(Offer, const std::vector<ExecutorId>&)> offer;
    std::function<void(const OfferId&)> rescinded;
    std::function<void(const StatusUpdate&)> update;
    std::function<void(const OperationUpdate&)> operation;
    std::function<void(const AgentId&)> agent_lost;
    std::function<void(const ExecutorId&, const AgentId&)> executor_lost;
    // Not subscribed. `final`: and it stays so until Start. `removed`: the framework id is dead.
    std::function<void(const Error& why, bool final, bool removed)> disconnected;
    // The id and the roles to subscribe with.
    std::function<std::string()> framework_id;
    std::function<const std::set<std::string>&()> suppressed;
  };

  MesosLink(net::World world, const Options& options, Callbacks callbacks);

  void SetWebUrl(const std::string& url) { web_url_ = url; }
  void Start();
  void Stop() { client_.Stop(); }
  // What agents are asked with: that of DC/OS's service account, which they know as masters do.
  // Empty: nothing.
  const std::string& AgentAuthorization() const { return agent_authorization_; }

  struct FailedStart {
    TaskId task;
    Error why;
  };
  // Launches tasks with the offers that pay for them; gives those that could not be.
  std::vector<FailedStart> Accept(const std::vector<LaunchCall>& starts, const State& state,
                                  const Settings& settings, const TaskInfoOptions& task_options);
  // Removes volumes from the offers that have them.
  void Remove(const std::vector<RemovalCall>& removals);
  void Answer(const OfferCalls& calls);
  void Send(const Effects& effects);  // all calls but the launches
  void Teardown();
  // Forgets executors that are gone.
  void KeepExecutors(const std::function<bool(const ExecutorId&)>& known);

 private:
  mesos::v1::scheduler::Call_Subscribe Subscribe() const;
  void StartLogin();
  void OnLeader(const Result<wire::Leader>& leader);
  void OnEvent(const mesos::v1::scheduler::Event& event);
  void OnDisconnected(const wire::Disconnected& disconnected);
  void Call(mesos::v1::scheduler::Call call);
  Result<mesos::v1::TaskInfo> Build(const LaunchCall& start, const State& state,
                                    const Settings& settings, const TaskInfoOptions& task_options,
                                    wire::OfferedResources& offered,
                                    wire::OperationList& operations);
  void SendOperationCalls(const Effects& effects);

  net::World world_;
  const Options& options_;
  Callbacks callbacks_;
  std::string web_url_;
  std::string error_;  // of the last ERROR event
  std::map<OfferId, mesos::v1::Offer> offers_;
  std::map<ExecutorId, mesos::v1::ExecutorInfo> executors_;  // shared ones of this life
  bool subscribed_ = false;
  wire::SchedulerClient client_;
  std::string agent_authorization_;
  std::optional<DcosLogin> login_;
  std::optional<wire::LeaderWatch> watch_;  // from the first Start on, where masters are detected
};

}  // namespace kiln::scheduler
