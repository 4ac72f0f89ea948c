// A launch as Mesos wants to see it: TaskInfo, its executor, and the work inside.
#pragma once

#include <string>

#include "base/result.h"
#include "proto/mesos/v1/mesos.pb.h"
#include "scheduler/daemon/secrets.h"
#include "scheduler/lifecycle/state.h"
#include "wire/mesos/convert.h"

namespace kiln::scheduler {

struct TaskInfoOptions {
  std::string executor;       // path of kiln-executor on the agents
  std::string executor_uri;   // where agents fetch it from instead; may be empty
  std::string api_url;        // "http://host:port" of the scheduler's REST, or https
  std::string api_authority;  // PEM certificate by which its own is judged; empty: it is http
  Secrets secrets;
  std::string job_key;  // of the tokens of tasks; empty: the REST asks for none
};

// The executor of a task. Two tasks of one executor id get equal ones: nothing in it is per task,
// but for executors that have one task.
mesos::v1::ExecutorInfo ExecutorInfoFor(const Task& task, const Group& group,
                                        const std::string& framework_id,
                                        const TaskInfoOptions& options);

// kNotFound when a model it needs is gone from the registry, kFailedPrecondition when a secret is.
Result<mesos::v1::TaskInfo> TaskInfoFor(const Task& task, const State& state,
                                        mesos::v1::ExecutorInfo executor,
                                        wire::ResourceList resources,
                                        const TaskInfoOptions& options);

}  // namespace kiln::scheduler
