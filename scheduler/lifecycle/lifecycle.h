// The life of jobs and their tasks: what happens goes in, what is to be remembered and done comes
// out.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "base/random.h"
#include "base/result.h"
#include "base/time.h"
#include "scheduler/lifecycle/durations.h"
#include "scheduler/lifecycle/effects.h"
#include "scheduler/lifecycle/quarantine.h"
#include "scheduler/lifecycle/reconciliation.h"
#include "scheduler/lifecycle/runs.h"
#include "scheduler/lifecycle/settings.h"
#include "scheduler/lifecycle/shared_executors.h"
#include "scheduler/lifecycle/state.h"
#include "scheduler/lifecycle/volumes.h"
#include "scheduler/placement/outlook.h"
#include "scheduler/placement/plan.h"
#include "scheduler/placement/preemption.h"
#include "scheduler/placement/role_usage.h"
#include "scheduler/placement/snapshot.h"

namespace kiln::scheduler {

// A status of Mesos as a value.
struct StatusUpdate {
  TaskId task;
  AgentId agent;
  TaskState state = TaskState::kUnknown;
  std::string reason;  // Mesos's name without its prefix
  std::string message;
  std::string uuid;  // empty: nobody waits for an acknowledgement
  bool by_executor = false;
  std::optional<bool> healthy;
  std::optional<double> fraction;
  std::string endpoint;
  std::string result;
  std::vector<GpuId> sick_gpus;  // of those that the task holds
  int64_t checkpoints = 0;       // of the task so far
};

// What waits: what may start, and why the rest may not.
struct Sight {
  std::vector<WaitingJob> jobs;  // borrowed from the state until it changes
  std::vector<Refusal> blocked;
  std::set<std::string> roles;  // that have use for offers, at this moment or soon
  // Groups with GPUs of every job that is known, and how many of their members do not wait.
  std::vector<std::pair<const Group*, size_t>> usual;
  LentToPlacement lent;
};

// Decides alone: no clock, no chance but its seed. The same calls give the same effects.
// Threads: one at a time.
class Lifecycle {
 public:
  // Takes up a state where it was left: the incarnation is raised, so that ids are new.
  Lifecycle(State state, Settings settings, uint64_t seed);
  Lifecycle(const Lifecycle&) = delete;
  Lifecycle& operator=(const Lifecycle&) = delete;

  const State& state() const { return state_; }
  const Settings& settings() const { return settings_; }
  // What has come up since it was last taken.
  const Effects& effects() const { return effects_; }
  Effects TakeEffects() { return std::exchange(effects_, {}); }
  std::vector<Freed> TakeFreed() { return std::exchange(effects_.freed, {}); }

  // Users. Jobs are valid and not expanded yet.
  Status Submit(Job job, uint64_t digest, Instant now);
  // What Submit would answer.
  Status CheckSubmit(Job job, uint64_t digest) const;
  Status Kill(const std::string& job, Instant now);
  Status KillTask(const TaskId& task, Instant now);
  Result<int64_t> Register(ModelVersion version, Instant now);
  Status SetLabel(const std::string& model, const std::string& label,
                  std::optional<int64_t> version);
  // Kills all jobs, for a teardown. kUnavailable while tasks and volumes are left, which Mesos
  // would keep or end without grace; for at most a minute after the first call.
  Status EndAll(Instant now);
  // An agent or a device of it gets no work for this time, or until it is released.
  void SetQuarantine(const Suspect& suspect, const std::string& hostname,
                     std::optional<Duration> time, const std::string& reason, Instant now) {
    quarantine_.Set(suspect, hostname, time, reason, now);
  }
  // kFailedPrecondition when it is healthy.
  Status Release(const Suspect& suspect) { return quarantine_.Release(suspect); }

  // Mesos.
  void Subscribed(const std::string& framework_id, Instant now);
  void Disconnected();
  // The framework is no more: its tasks are lost, and it begins as another.
  void FrameworkRemoved(Instant now);
  void Update(const StatusUpdate& update, Instant now);
  void UpdateOperation(const OperationUpdate& update, Instant now) { volumes_.Told(update, now); }
  // Volumes in an offer that nobody wants: the offer pays for their end.
  bool RemoveVolumes(const Offer& offer, Instant now);
  std::set<std::string> SeekVolumes(Instant now) { return volumes_.Seek(now); }
  void AgentSeen(const AgentId& agent) { quarantine_.AgentSeen(agent); }
  void AgentLost(const AgentId& agent, Instant now);
  void ExecutorLost(const ExecutorId& executor, const AgentId& agent, Instant now);
  // Executors on an agent, as an offer names them: those that nobody knows are shut down, once it
  // is settled who is known.
  void ExecutorsSeen(const AgentId& agent, const std::vector<ExecutorId>& executors, Instant now);

  // Placement. `used`: jobs of an earlier sight, of which the memory is used again.
  Sight See(Instant now, std::vector<WaitingJob> used = {}) const;
  // While it is held, jobs stay where they are, forgotten or not: a sight of them can be looked at
  // later on, but for its members, who are as they are.
  std::shared_ptr<const void> HoldJobs() const;
  // What roles use and have used; `free` is what agents have left.
  Sharing SharingAt(Instant now, const Amounts& free) const;
  // What runs and when it ends. Borrowed from the lifecycle until it changes.
  Outlook OutlookAt(Instant now) const;
  // Whose offers a job of this role uses: the role itself when the framework has it, else the
  // nearest one above it that the framework has. A role that is set is below "*".
  std::string OfferRole(const std::string& role) const;
  const WarmExecutors& Warm() const { return executors_.Warm(); }
  const SharedExecutors::Shared& FreeShares() const { return executors_.FreeShares(); }
  // For a snapshot with these offers.
  Bars BarsFor(const std::vector<Offer>& offers) const;
  const TaskCounts& TasksByState() const { return counts_; }
  bool KnowsAgent(const AgentId& agent) const { return agents_.contains(agent); }
  bool KnowsExecutor(const ExecutorId& executor) const { return executors_.Known(executor); }
  // Nothing is launched before: subscribed, and the tasks that were there are accounted for.
  bool Settled(Instant now) const { return reconciliation_.Settled(now); }
  // The launches of a plan made of the last See, with those agents of its offers that the state has
  // not.
  void LaunchAll(const std::vector<Launch>& launches, const std::map<AgentId, Agent>& agents,
                 Instant now);

  // Preemption (evictions.cc).
  const Running& GetRunning() const { return running_; }
  std::vector<Claim> Claims() const;
  // The budget of the job allows another eviction, and none is under way for it.
  bool MayEvictAgain(const std::string& job, Instant now) const;
  // The victims are killed, and what they had is kept for the job.
  void Evict(const Eviction& eviction, Instant now);
  // "preempted by job urgent of priority 90", or nothing: of members of the group that wait.
  std::string EvictionWords(const std::string& job, const std::string& group) const;

  // Time.
  void Tick(Instant now);
  std::optional<Instant> NextTick(Instant now) const;

 private:
  // Jobs that have not ended, who is served first in a role standing first.
  using Order = std::tuple<Precedence, std::string>;  // and name
  using Place = std::pair<GroupRun*, Member*>;
  // What a sight shows of one job.
  struct Seen {
    WaitingJob waiting;  // without groups: none of it may start
    std::vector<std::pair<const Group*, size_t>> usual;
    std::vector<GroupFacts> facts;  // of all groups of the job, once it has been seen
    bool soon = false;              // some of it may start soon
    bool lasts = false;             // until the run of the job changes: it rests on nothing else
  };
  // Record and run stay where they are until the job is forgotten.
  struct Queued {
    const JobRecord* record = nullptr;
    JobRun* run = nullptr;
    mutable Seen seen;  // when somebody last looked
  };

  Order OrderOf(const JobRecord& record) const;
  Place Find(const MemberId& id);
  static Place FindIn(const JobRecord& record, JobRun& run, const MemberId& id);
  JobRecord* RecordOf(const Task& task);
  void GiveExecutor(const Job& job, const Group& spec, Task& task, LaunchCall& start);
  void Touch(const Task& task);
  void TouchJob(const JobRecord& record);
  // A job that has not failed, with this name and content.
  bool HasSame(const Job& job, uint64_t digest) const;
  Status CheckAfter(const Job& job) const;
  void SetPhase(JobRecord& record, JobPhase phase, std::string message, Instant now);

  // Jobs (jobs.cc).
  void Forget(std::string job);
  void ForgetOldest();
  void KillLive(const JobRecord& record, Instant now);
  void CheckJob(const std::string& job, Instant now);
  void ModelsChanged();

  // Tasks (updates.cc).
  void UpdateUnknown(const StatusUpdate& update, Instant now);
  void Progress(Task& task, const StatusUpdate& update, Instant now);
  void HasRun(const Task& task, Instant now);
  void TellFreed(const Task& task);
  void SetState(Task& task, TaskState state);
  void Uncount(const Task& task) { --CountOf(counts_, task.state); }
  void End(Task& task, TaskState state, const std::string& reason, const std::string& message,
           Instant now);
  void JudgeExecutor(const Task& task, TaskState state, const std::string& reason);
  Charge Judge(const Task& task, TaskState state, const std::string& reason);
  uint64_t LikenessOfWork(const Task& task);
  void FreeMember(const Task& task, Instant now);
  void Spend(const Task& task, GroupRun& group, Member& member, Instant now);
  void Rest(const MemberId& id, GroupRun& group, Member& member, int times, Instant now);
  std::optional<Duration> UnreachableWait(const Task& task);
  void GiveUp(Task& task, Instant now);
  void WantKill(Task& task, Instant now);
  void SendKill(const TaskId& task, const AgentId& agent, Instant now);

  // Roles (roles.cc).
  Status CheckRole(const Job& job) const;
  Status CheckVolumes(const Job& job) const;
  // As a part of what its role uses.
  static bool Counts(const Task& task);
  // The task has changed, and was counted before or not.
  void Count(const Task& task, bool counted, Instant now);
  void CountPast(const Task& task);
  void StartRunning(const Job& job, const JobRun& run, const Task& task);
  void Remember(const Task& task);

  // Preemption (evictions.cc).
  void Evicted(const Task& task, GroupRun& group, Member& member);
  void ComesBack(const MemberId& member);
  void DropClaim(JobRecord& record);
  void UseClaim(JobRecord& record);
  void TickClaims(Instant now);

  // Sight (see.cc).
  void SeeJob(const JobRecord& record, const JobRun& run, Instant now, Seen& seen,
              Sight& sight) const;
  std::optional<Refusal> Blocked(const JobRecord& record, const Group& group,
                                 const JobRun& run) const;
  WaitingGroup WaitingOf(const Group& group, const GroupRun& run) const;
  void SeeCutOff(const JobRecord& record, const Group& group, const GroupRun& run,
                 Sight& sight) const;

  TasksAsked LiveTasks(const std::function<bool(const Task&)>& wanted) const;
  // All tasks, a portion at a time.
  void BeginRound(Instant now);
  void ContinueRound(Instant now);
  std::pair<TasksAsked, bool> NextPortion();
  void Call(std::vector<ReconcileCall> calls);
  void ShutDownStrangers();
  std::string NextId();

  State state_;
  const Settings settings_;
  Random random_;
  Effects effects_;
  uint64_t counter_ = 0;  // of ids in this incarnation
  std::map<std::string, JobRun> runs_;
  std::map<Order, Queued> order_;
  mutable std::vector<const Queued*> line_;  // of order_, in its order; empty: it has changed
  std::set<std::pair<Instant, std::string>> ended_jobs_;
  SharedExecutors executors_;
  std::map<AgentId, std::vector<ExecutorId>> seen_;  // executors, until it is settled who is known
  RoleUsage usage_;
  Reconciliation reconciliation_;
  Volumes volumes_;
  TaskId asked_;  // the last one of the round so far
  Quarantine quarantine_;
  Running running_;
  TaskCounts counts_{};
  std::unordered_map<AgentId, const Agent*> agents_;  // of the state
  Durations durations_;
  std::set<std::string> claimants_;  // jobs with a claim
  // By job and group that waits, the last attempt that ended for others.
  std::map<std::pair<std::string, std::string>, TaskId> evicted_;
  std::set<std::pair<Instant, MemberId>> resting_;
  std::optional<Instant> ending_;                        // all jobs, since then
  std::map<TaskId, Instant> cut_off_;                    // when it is given up
  std::map<TaskId, std::pair<AgentId, Instant>> kills_;  // to be sent again at this time
  using ForgottenJobs = std::vector<std::map<std::string, JobRecord>::node_type>;
  mutable std::weak_ptr<ForgottenJobs> held_jobs_;  // those that are still looked at
};

}  // namespace kiln::scheduler
