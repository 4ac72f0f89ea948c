// Machines on one Linux: network namespaces around one that routes between them, so that any two
// can be cut off from each other. Needs root and iproute2.
#pragma once

#include <sys/types.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

namespace kiln::integration {

// The thread that makes it stands on the router for as long as it lives, and reaches every machine.
// Nothing of the host is touched. At its end, or when this process dies, a child process ends what
// runs on the machines and removes them.
//
// Threads: that one.
class Network {
 public:
  // kFailedPrecondition: why it cannot be made here.
  static Result<std::unique_ptr<Network>> Make(const std::vector<std::string>& machines);
  ~Network();

  const std::string& AddressOf(const std::string& machine) const { return addresses_.at(machine); }
  // What a command line begins with to run there, as this process's own child.
  std::vector<std::string> RunnerOf(const std::string& machine) const;
  // Packets between the two vanish, until Heal.
  void Cut(const std::string& one, const std::string& other);
  void Heal();

 private:
  Network() = default;
  Status Build(const std::vector<std::string>& machines);
  Status Guard(const std::vector<std::string>& machines);

  std::string prefix_;  // of the namespaces' names
  std::map<std::string, std::string> addresses_;
  std::vector<std::vector<std::string>> cuts_;  // rules of the router
  int host_ = -1;                               // the namespace that this thread comes from
  int guard_ = -1;                              // a pipe to the child, which works when it closes
  pid_t guardian_ = -1;
};

}  // namespace kiln::integration
