// Machines that operators want to take away, and when. Pure.
#pragma once

#include <string>
#include <vector>

#include "local/cluster/validation.h"
#include "proto/mesos/v1/master.pb.h"
#include "proto/mesos/v1/mesos.pb.h"

namespace kiln::local {

// Part of the registry. A machine of the schedule is draining, unless it is down; all others are
// up.
struct Maintenance {
  mesos::v1::master::Schedule schedule;
  std::vector<mesos::v1::MachineID> down;
};

using MachineList = google::protobuf::RepeatedPtrField<mesos::v1::MachineID>;

// Where an agent runs; its pid is "slave(1)@127.0.0.1:5051".
mesos::v1::MachineID MachineOf(const mesos::v1::AgentInfo& agent, const std::string& pid);
// {"hostname":"a.test","ip":"127.0.0.1"}
std::string MachineText(const mesos::v1::MachineID& machine);
// Both parts, and host names in any case.
bool IsSameMachine(const mesos::v1::MachineID& a, const mesos::v1::MachineID& b);

// Null: the machine is not scheduled. Lives as long as the schedule.
const mesos::v1::Unavailability* FindUnavailability(const Maintenance& maintenance,
                                                    const mesos::v1::MachineID& machine);
bool IsDown(const Maintenance& maintenance, const mesos::v1::MachineID& machine);
// They are up: neither scheduled nor down.
void BringUp(Maintenance& maintenance, const MachineList& machines);

// A machine that is down stays in the schedule.
Objection ValidateSchedule(const mesos::v1::master::Schedule& schedule, const Maintenance& current);
Objection ValidateMachines(const MachineList& machines);

}  // namespace kiln::local
