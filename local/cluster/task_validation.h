// What a master refuses in an operation of ACCEPT, in Mesos's words. Pure.
#pragma once

#include <string>

#include "local/cluster/resources.h"
#include "local/cluster/validation.h"
#include "proto/mesos/v1/mesos.pb.h"

namespace kiln::local {

// What the master knows when it judges a task.
struct TaskContext {
  std::string framework_id;
  std::string agent_id;
  bool duplicate_task_id = false;
  // The executor that already runs under the task's executor id on that agent.
  const mesos::v1::ExecutorInfo* known_executor = nullptr;
  const Resources* available = nullptr;  // what is left of the offers
  // Of the tasks that this executor has already.
  std::optional<bool> share_cgroups = std::nullopt;
};

// The operation's message is there and its resources are well formed; upgrades them to the
// reservations format.
Objection ValidateAndUpgrade(mesos::v1::Offer::Operation* operation);
// Well formed by itself: "Invalid scalar resource: value <= 0".
Objection ValidateResource(const mesos::v1::Resource& resource);

// A task of LAUNCH with the executor it may bring.
Objection ValidateTask(const mesos::v1::TaskInfo& task, const TaskContext& context);

// A group of LAUNCH_GROUP. `duplicate` tells whether a task id is taken.
Objection ValidateTaskGroup(const mesos::v1::Offer::Operation::LaunchGroup& launch,
                            const TaskContext& context,
                            const std::function<bool(const std::string&)>& duplicate);

}  // namespace kiln::local
