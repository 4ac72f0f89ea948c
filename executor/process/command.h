// Mesos's CommandInfo as a process.
#pragma once

#include <map>
#include <string>

#include "executor/process/process.h"
#include "proto/mesos/v1/mesos.pb.h"

namespace kiln::executor {

// Where a task's processes run.
struct Surroundings {
  std::string sandbox;
  std::map<std::string, std::string> environment;
  bool own_output = false;  // in the sandbox's stdout and stderr, and not in those of this process
};

// The environment of this process without what is not for tasks (the executor's token), with a
// PATH.
std::map<std::string, std::string> OwnEnvironment();

// The command's environment comes over that of the surroundings. The user changes only where this
// process is root's.
ProcessSpec SpecOf(const mesos::v1::CommandInfo& command, const Surroundings& surroundings);

}  // namespace kiln::executor
