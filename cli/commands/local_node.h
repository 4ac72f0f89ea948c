// A local Mesos with a scheduler, as one thing that goes up and down.
#pragma once

#include <functional>
#include <string>

#include "base/result.h"
#include "model/units.h"
#include "wire/rest/json_fwd.h"

namespace kiln::cli {

struct LocalOptions {
  std::string dir;  // state, sandboxes and logs
  int agents = 1;
  int port = 5050;      // of the master; 0: a free one
  int api_port = 8080;  // 0: a free one
  double cpus = 0;      // of each agent; 0: those of this machine
  Bytes mem;            // of each agent; 0: its share of this machine
  std::string gpus;     // file with the GPUs that each agent pretends to have
  std::string role;     // Mesos role of the scheduler; empty: its default
  std::string cluster;  // cluster file: it says all of this of each agent, and how many there are
};

// Runs until SIGTERM or SIGINT. `ready` gets {"master","api","pid"} once both listen. A scheduler
// that dies is started again. kConflict when one runs in this folder already.
Status RunLocal(const LocalOptions& options, std::function<void(const wire::Json&)> ready);

// The same in a process of its own, which outlives this one; gives what `ready` gets.
Result<wire::Json> RunLocalDetached(const LocalOptions& options);

// Ends the one that runs in this folder and waits for its end. kNotFound when there is none.
Status StopLocal(const std::string& dir);

}  // namespace kiln::cli
