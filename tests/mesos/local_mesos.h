// A Kiln local Mesos in a process of its own, started for one recording and removed with all that
// it left.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "tests/mesos/bindings.h"
#include "tests/mesos/scenario.h"
#include "tests/support/process.h"

namespace kiln::replay {

class LocalMesos {
 public:
  // Starts `program` with the flags of the scenario in a directory of its own and waits until it
  // listens. Binds the ports and ${dir}.
  static Result<std::unique_ptr<LocalMesos>> Start(const std::filesystem::path& program,
                                                   const Scenario& scenario, Bindings& bindings);
  // Ends the process, everything that runs in its directory, and the directory.
  ~LocalMesos();
  LocalMesos(const LocalMesos&) = delete;
  LocalMesos& operator=(const LocalMesos&) = delete;

  Result<int> PortOf(const std::string& name) const;  // "master", "agent1"

  // All but kCloseConnection, which is the caller's.
  Status Inject(const Fault& fault);

  // The sandbox of the executor's newest run that holds this file.
  std::optional<std::filesystem::path> SandboxWith(const std::string& executor_id,
                                                   const std::string& file) const;

  // All runs that hold this file.
  std::vector<std::filesystem::path> SandboxesWith(const std::string& file) const;

  // Whether its process has ended by itself.
  bool Ended();

  // What it wrote.
  std::string Log() const;

 private:
  LocalMesos() = default;
  Status WaitUntilReady();
  void KillWhatRunsHere() const;

  support::TempFolder folder_;
  std::optional<support::Process> process_;
  std::map<std::string, int> ports_;
};

}  // namespace kiln::replay
