// What operators are shown of frameworks and agents.
#pragma once

#include "local/cluster/master_state.h"
#include "proto/mesos/v1/master.pb.h"

namespace kiln::local {

class Master;

mesos::v1::TimeInfo TimeOf(Instant instant);
// Without offers and resources, as events show it.
mesos::v1::master::Response::GetFrameworks::Framework FrameworkEntry(
    const MasterFramework& framework);
mesos::v1::master::Response::GetAgents::Agent AgentEntry(const Master& master,
                                                         const MasterAgent& agent);
// In the format of operators: role beside reservations.
ResourceList EndpointList(const Resources& resources);

}  // namespace kiln::local
