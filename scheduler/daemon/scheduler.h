// The cycle of the daemon: see, decide, remember, act, explain.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "scheduler/api/backend.h"
#include "scheduler/daemon/event_log.h"
#include "scheduler/daemon/ledger.h"
#include "scheduler/daemon/mesos_link.h"
#include "scheduler/daemon/options.h"
#include "scheduler/lifecycle/cycle.h"
#include "scheduler/lifecycle/lifecycle.h"
#include "scheduler/lifecycle/offer_book.h"
#include "scheduler/placement/policy.h"
#include "wire/net/world.h"

namespace kiln::scheduler {

// Whatever happens is put into the lifecycle at once; a turn of the loop then decides, commits all
// changes together, and only then calls Mesos and answers users.
//
// Threads: the agenda's alone. Owner: main. The world outlives it.
class Scheduler final : public Backend {
 public:
  // Takes up the state that the store holds. kInvalidArgument for a policy that is not there, else
  // the store's errors.
  static Result<std::unique_ptr<Scheduler>> Open(net::World world, Options options,
                                                 std::unique_ptr<Store> store);

  // Where tasks and people find the REST API: "http://host:port", or https with the PEM certificate
  // by which its own is judged.
  void SetApiUrl(const std::string& url, const std::string& authority = "");
  // Of the tokens that tasks show there.
  void SetJobKey(std::string key) { task_options_.job_key = std::move(key); }
  // Called when the state can be read or written no more by this process.
  void OnFatal(std::function<void(const Error&)> function) { fatal_ = std::move(function); }
  void Start();
  // Commits what is pending and leaves Mesos; the framework and its tasks stay.
  void Stop();

  const State& state() const override { return lifecycle_->state(); }
  std::vector<AgentView> Agents() const override;
  size_t AgentCount() const override;
  TaskCounts TasksByState() const override { return lifecycle_->TasksByState(); }
  std::vector<RoleShare> Roles() const override;
  Health GetHealth() const override;
  Counters GetCounters() const override { return counters_; }
  std::vector<Refusal> Why(const std::string& job) override;
  void DryRun(Job job, std::function<void(const DryPlan&)> done) override;
  void Submit(Job job, uint64_t digest, Done done) override;
  Status CheckSubmit(const Job& job, uint64_t digest) const override {
    KILN_TRY_OK(task_options_.secrets.Check(job));
    return lifecycle_->CheckSubmit(job, digest);
  }
  void Kill(const std::string& job, Done done) override;
  void KillTask(const TaskId& task, Done done) override;
  void Register(ModelVersion version, std::function<void(Result<int64_t>)> done) override;
  void SetLabel(const std::string& model, const std::string& label, std::optional<int64_t> version,
                Done done) override;
  void SetQuarantine(const std::string& agent, const QuarantineRequest& request,
                     Done done) override;
  void Release(const std::string& agent, const GpuId& gpu, Done done) override;
  void Teardown(Done done) override;
  std::vector<Event> EventsAfter(uint64_t sequence) const override {
    return events_.After(sequence);
  }
  std::shared_ptr<void> Subscribe(std::function<void(const Event&)> listener) override {
    return events_.Subscribe(std::move(listener));
  }
  Result<Sandbox> FindSandbox(const TaskId& task) const override;

 private:
  struct AskedDryRun {
    std::unique_ptr<scheduler::DryRun> run;
    std::string role;  // of the offers that the job uses
    std::function<void(const DryPlan&)> done;
    bool answered = false;
  };

  Scheduler(net::World world, Options options, std::unique_ptr<Store> store, const Policy& policy);

  MesosLink::Callbacks MesosCallbacks();
  void OnSubscribed(const std::string& framework_id, const std::string& master);
  void OnOffer(Offer offer, const std::vector<ExecutorId>& executors);
  void OnDisconnected(const Error& why, bool final, bool removed);
  void Resubscribe();

  Status Load();
  void Wake();
  void Turn();
  void Act(const Effects& effects, const OfferCalls& calls);
  void Announce(std::vector<Notice> notices, Instant now);
  void Reload(const Error& why);
  void SetTimer(Instant now);
  void Later(Status status, Done done);
  void GoOnWithDryRuns();
  void Answer(const AskedDryRun& asked);
  Result<Agent> FindAgent(const std::string& name, const GpuId& gpu) const;
  Settings LifecycleSettings() const;

  net::World world_;
  const Options options_;
  Ledger ledger_;
  std::unique_ptr<Lifecycle> lifecycle_;
  OfferBook book_;
  Cycle cycle_;
  EventLog events_;
  TaskInfoOptions task_options_;
  Counters counters_;
  std::string master_;
  std::string problem_;  // why there is no subscription
  bool connected_ = false;
  bool turn_posted_ = false;
  bool stopped_ = false;
  bool torn_down_ = false;  // no other framework follows in this life
  std::vector<std::function<void(const Status&)>> answers_;  // after the next commit
  std::deque<AskedDryRun> dry_runs_;                         // the first one is under way
  net::Handle next_part_;                                    // of it
  std::function<void(const Error&)> fatal_;
  MesosLink link_;
  net::Handle timer_;
  net::Handle restart_;
};

}  // namespace kiln::scheduler
