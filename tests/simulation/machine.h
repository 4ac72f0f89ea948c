// A machine with an agent, its containers, and the executors in them.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "executor/daemon/agent_link.h"
#include "local/cluster/agent.h"
#include "proto/kiln/v1/work.pb.h"
#include "scheduler/lifecycle/state.h"
#include "tests/simulation/checkpoint.h"
#include "tests/simulation/checks.h"
#include "tests/simulation/stage.h"

namespace kiln::simulation {

// What a node does for its agent, and what work does in an executor: it starts after a while, takes
// its time, and ends as it should, or fails.
class Machine {
 public:
  struct Callbacks {
    std::function<void(local::AgentToMaster message)> to_master;
    std::function<void()> gone;  // the agent's process is
    // A model is published: tries until the scheduler has it.
    std::function<void(scheduler::ModelVersion model, std::function<void()> done)> publish;
  };
  Machine(Stage& stage, Checks& checks, size_t index, Callbacks callbacks);

  const std::string& pid() const { return pid_; }
  bool up() const { return agent_ != nullptr; }
  // Counts the agent's processes: messages to a former one are lost.
  uint64_t life() const { return life_; }
  // The agent's own id, while it has one.
  std::string agent_id() const;

  // The agent goes on from what a former one has saved.
  void Start();
  void FromMaster(const local::MasterToAgent& message);
  // As kill -9 does: executors live on.
  void KillAgent();
  // With everything that runs. `forget`: its disk is empty then.
  void Lose(bool forget);
  void Leave();
  void KillExecutors();
  void SetSick(bool sick) { sick_ = sick; }
  // As a QoS controller does.
  void TakeBack();
  size_t containers() const { return containers_.size(); }
  // Something of its disk is kept for somebody.
  bool Reserves() const { return !checkpoint_.resources().resources.empty(); }

 private:
  struct Running {
    mesos::v1::TaskInfo task;
    v1::Work work;
    net::Handle timer;
    net::Handle progress;
  };
  struct Container {
    local::RunKey key;
    std::unique_ptr<Process> process;
    std::unique_ptr<executor::AgentLink> link;  // once it has started
    std::map<std::string, Running> works;
  };
  using Containers = std::map<std::string, std::shared_ptr<Container>>;  // by id

  void Perform();
  template <typename Saved>
  void Act(const Saved& action) {
    checkpoint_.Save(action);
  }
  void Act(const local::SendToMaster& action) { callbacks_.to_master(action.message); }
  void Act(const local::LaunchContainer& action);
  void Act(const local::UpdateContainer&) {}
  void Act(const local::DestroyContainer& action);
  void Act(const local::SendEvent& action);
  void Act(const local::CloseStream& action);
  void Act(const local::ForgetAgent&) { checkpoint_.Forget(); }
  void Act(const local::Exit& action);
  void Serve(const std::shared_ptr<Exchange>& exchange);

  void StartExecutor(Container& container, bool checkpoint);
  // Nothing of it runs any more.
  std::shared_ptr<Container> End(const std::string& id);
  // The same, and the agent is told.
  void End(const std::string& id, int status);

  // Work.
  void StartWork(Container& container, const mesos::v1::TaskInfo& task);
  void BeginWork(Container& container, const std::string& task);
  void StopWork(Container& container, const std::string& task, bool force);
  void FinishWork(Container& container, const std::string& task, executor::WorkEnded end);
  bool Sick(const Running& running, v1::Report& report) const;
  Duration StartDelay();

  Stage& stage_;
  Checks& checks_;
  const size_t index_;
  Callbacks callbacks_;
  const std::string authority_;
  const std::string pid_;
  Duration no_skew_{};
  uint64_t life_ = 0;
  uint64_t seeds_ = 0;
  bool sick_ = false;
  std::unique_ptr<Process> process_;  // of the agent
  std::unique_ptr<local::Agent> agent_;
  Checkpoint checkpoint_;
  Containers containers_;
  uint64_t next_stream_ = 1;
  std::map<uint64_t, std::shared_ptr<Exchange>> streams_;
  net::Handle timer_;
  bool performing_ = false;
};

}  // namespace kiln::simulation
