// What the REST routes need of the scheduler. The daemon implements it; tests have a fake.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/offer.h"
#include "scheduler/lifecycle/state.h"
#include "scheduler/placement/order.h"
#include "scheduler/placement/plan.h"

namespace kiln::scheduler {

struct AgentView {
  Agent agent;
  std::string domain;  // where it stands: "eu/eu-1/r7"
  Resources offered;   // free, as last offered
  Resources used;      // by tasks of Kiln
  int tasks = 0;
  Instant seen;  // the last offer or update
};

// What an operator asks for an agent, or for one device of it.
struct QuarantineRequest {
  GpuId gpu;                     // empty: the agent
  std::optional<Duration> time;  // none: until it is released
  std::string reason;
};

struct Health {
  bool connected = false;  // subscribed to a master
  bool recovered = false;  // reconciled
  std::string framework_id;
  std::string master;
  std::string problem;  // why it is not subscribed
};

// What happened, newest last; `sequence` grows by one for each, and begins in each life of the
// scheduler above those of earlier ones.
struct Event {
  uint64_t sequence = 0;
  Instant time;
  std::string type;  // "job", "task", "model", "agent"
  std::string name;  // job name, task id, model name/version, agent id
  std::string state;
  std::string message;
};

struct Counters {
  uint64_t offers_received = 0, offers_declined = 0, launches = 0, updates = 0, commits = 0,
           cycles = 0, preemptions = 0, evictions = 0;
  double cycle_seconds = 0;  // sum
};

// Where the members of a job would go.
struct DryPlan {
  Plan plan;
  std::map<AgentId, std::string> hostnames;  // of agents in it
};

// Threads: the loop's alone. Writes are answered when they are durable.
class Backend {
 public:
  virtual ~Backend() = default;

  virtual const State& state() const = 0;
  virtual std::vector<AgentView> Agents() const = 0;
  // As Agents() and the state tell, but without a look at each task: who only has tasks that were
  // given up may be left out.
  virtual size_t AgentCount() const = 0;
  virtual TaskCounts TasksByState() const = 0;
  // Those of the framework, those that are set, and those above them, by name.
  virtual std::vector<RoleShare> Roles() const = 0;
  virtual Health GetHealth() const = 0;
  virtual Counters GetCounters() const = 0;
  // Current reasons of all that waits; of one job when named.
  virtual std::vector<Refusal> Why(const std::string& job) = 0;
  // Where a job not submitted would go at this moment. Its groups are not expanded.
  virtual void DryRun(Job job, std::function<void(const DryPlan&)> done) = 0;

  using Done = std::function<void(Status)>;
  // kConflict when a job of that name lives with another digest. The same digest is success. Its
  // groups are not expanded.
  virtual void Submit(Job job, uint64_t digest, Done done) = 0;
  // What Submit would answer.
  virtual Status CheckSubmit(const Job& job, uint64_t digest) const = 0;
  virtual void Kill(const std::string& job, Done done) = 0;
  // Ends one task; the job starts another attempt in its place without charge.
  virtual void KillTask(const TaskId& task, Done done) = 0;
  // Gives the version number; a second registration of the same model by the same job gives the
  // first one's.
  virtual void Register(ModelVersion version, std::function<void(Result<int64_t>)> done) = 0;
  virtual void SetLabel(const std::string& model, const std::string& label,
                        std::optional<int64_t> version, Done done) = 0;
  // `agent` is an id, or a hostname that only one agent has. kNotFound when there is none.
  virtual void SetQuarantine(const std::string& agent, const QuarantineRequest& request,
                             Done done) = 0;
  // kFailedPrecondition when it is healthy.
  virtual void Release(const std::string& agent, const GpuId& gpu, Done done) = 0;
  // Ends everything and the framework: tasks killed, volumes given back, TEARDOWN sent.
  // kUnavailable while it is not done: call it again.
  virtual void Teardown(Done done) = 0;

  // Events after this sequence number that are still in memory; and a call for each new one until
  // the handle dies.
  virtual std::vector<Event> EventsAfter(uint64_t sequence) const = 0;
  virtual std::shared_ptr<void> Subscribe(std::function<void(const Event&)> listener) = 0;

  // Where stdout and stderr of a task are to be read: the agent's "host:port", and the path of
  // their folder on it.
  struct Sandbox {
    std::string agent;  // host:port, or https://host:port
    std::string path;
    std::string authorization = "";  // value of the header that the agent asks for; empty: none
    std::string hostname = "";       // whom the agent's certificate may be for
  };
  virtual Result<Sandbox> FindSandbox(const TaskId& task) const = 0;
};

}  // namespace kiln::scheduler
