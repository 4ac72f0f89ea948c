// The tasks of a default executor: each has a container in that of the executor, which here is a
// folder and a process.
#pragma once

#include <string>

#include "executor/process/command.h"
#include "proto/kiln/v1/work.pb.h"

namespace kiln::executor {

// Its command with its URIs, which the executor fetches.
Result<v1::Work> NestedWorkOf(const mesos::v1::TaskInfo& task);

// Makes the folder containers/CONTAINER of the executor's sandbox, which tasks/TASK leads to, and
// in it links to the volumes that the task has in the executor's sandbox. kUnavailable when that
// cannot be, or the task wants a container that only images and mounts could give.
Result<std::string> MakeNestedSandbox(const std::string& executor_sandbox,
                                      const std::string& container,
                                      const mesos::v1::TaskInfo& task);

// What Mesos's default executor adds; the command's own variables win.
void AddNestedEnvironment(const mesos::v1::TaskInfo& task, const std::string& host,
                          Surroundings& surroundings);

}  // namespace kiln::executor
