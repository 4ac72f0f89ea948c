// What a master refuses in the checks, commands and containers of a task, in Mesos's words. Pure.
#pragma once

#include "local/cluster/validation.h"
#include "proto/mesos/v1/mesos.pb.h"

namespace kiln::local {

Objection ValidateCheck(const mesos::v1::CheckInfo& check);
Objection ValidateHealthCheck(const mesos::v1::HealthCheck& check);
Objection ValidateCommand(const mesos::v1::CommandInfo& command);
Objection ValidateContainer(const mesos::v1::ContainerInfo& container);

}  // namespace kiln::local
