// Local mode's master in virtual time.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "local/cluster/master.h"
#include "tests/simulation/stage.h"

namespace kiln::simulation {

inline constexpr char kMasterAuthority[] = "master:5050";

// What a node does for its master: connections, timers, the registry.
class MasterHost {
 public:
  using ToAgent = std::function<void(const std::string& pid, local::MasterToAgent message)>;
  using OnEvent =
      std::function<void(const std::string& link, const mesos::v1::scheduler::Event& event)>;
  // `on_event` sees what arrives at a scheduler.
  MasterHost(Stage& stage, ToAgent to_agent, OnEvent on_event)
      : stage_(stage), to_agent_(std::move(to_agent)), on_event_(std::move(on_event)) {}

  void Start();
  void Kill();
  bool up() const { return master_ != nullptr; }
  const local::Master* master() const { return master_.get(); }

  void Handle(const local::MasterInput& input);
  void RescindAll();
  void RepeatUpdates();
  void MarkGone(const std::string& agent_id);

 private:
  void Serve(std::shared_ptr<Exchange> exchange);
  void Do(const local::AnswerRequest& action);
  void Do(const local::OpenSchedulerStream& action);
  void Do(const local::SendToScheduler& action);
  void Do(const local::CloseSchedulerStream& action);
  void Do(const local::SendToAgent& action) { to_agent_(action.pid, action.message); }
  void Do(const local::SaveRegistry& action) { registry_ = action.registry; }
  // Nobody asks as an operator but to mark agents gone.
  void Do(const local::AnswerOperator&) {}
  void Do(const local::OpenOperatorStream&) {}
  void Do(const local::SendToOperator&) {}
  void Do(const local::CloseOperatorStream&) {}

  Stage& stage_;
  ToAgent to_agent_;
  OnEvent on_event_;
  local::Registry registry_;
  Duration no_skew_{};
  int life_ = 0;
  std::unique_ptr<Process> process_;
  std::unique_ptr<local::Master> master_;
  uint64_t next_request_ = 1;
  std::map<uint64_t, std::shared_ptr<Exchange>> requests_;
  std::map<std::string, std::shared_ptr<Exchange>> streams_;
  net::Handle timer_;
};

}  // namespace kiln::simulation
