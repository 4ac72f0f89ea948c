// The agents of a local Mesos, as Mesos flags.
#pragma once

#include <vector>

#include "base/result.h"
#include "cli/commands/local_node.h"
#include "local/node/node.h"

namespace kiln::cli {

// As the cluster file says, or as many alike as the options say. Agents of a cluster file may have
// more than this machine: what runs there shares it. `programs` is the folder of kiln-executor.
Result<std::vector<local::NodeAgent>> LocalAgents(const LocalOptions& options,
                                                  const std::string& programs);

}  // namespace kiln::cli
