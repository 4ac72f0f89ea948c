// The executor as a whole: the protocol, the agent's streams, and the work of its tasks.
#pragma once

#include <functional>
#include <map>
#include <memory>

#include "executor/daemon/agent_link.h"
#include "executor/daemon/work.h"
#include "executor/process/monitor.h"
#include "wire/net/loop.h"

namespace kiln::executor {

// Runs any number of tasks: Kiln's work in this process, commands as processes of their own, bare
// commands as Mesos's command executor does, and task groups as its default executor when the agent
// says that it is that.
// Threads: the loop's alone. Owner: main, or a test; the loop outlives it.
class Daemon {
 public:
  // `host`: where the servers of tasks listen. `on_exit` comes once, with the exit code. `tls`:
  // what an agent of https is judged by.
  Daemon(net::Loop& loop, wire::ExecutorEnvironment environment, std::string host,
         std::function<void(int)> on_exit, std::shared_ptr<const net::TlsContext> tls = nullptr);
  ~Daemon();

  void Start();
  // As if the agent asked for it.
  void ShutDown();

 private:
  struct Running {
    mesos::v1::TaskInfo task;   // where it has checks
    Surroundings surroundings;  // of a command, and of checks
    std::unique_ptr<RunningWork> work;
    std::unique_ptr<HealthMonitor> health;
    std::unique_ptr<CheckMonitor> check;
  };

  void Feed(const Input& input);
  void Perform(const StartWork& effect);
  void Perform(const StopWork& effect);
  void Perform(const Exit& effect);
  Result<Running> Prepare(const StartWork& effect, const v1::Work& work);
  void Notice(const Input& input);
  void StartMonitors(const std::string& id);
  std::function<void(Input)> Teller();

  net::Loop& loop_;
  std::string sandbox_;
  std::string host_;
  std::function<void(int)> on_exit_;
  std::map<std::string, Running> running_;
  std::shared_ptr<Daemon*> self_;
  AgentLink link_;
};

}  // namespace kiln::executor
