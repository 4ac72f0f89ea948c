// Who pays for an attempt that ended: the job, or the cluster.
#pragma once

#include <string>

#include "model/task.h"

namespace kiln::scheduler {

// `reason` is Mesos's name without its prefix. An attempt that ended well, or that was killed
// because somebody wanted it, is charged to nobody.
Charge ChargeOf(TaskState state, const std::string& reason, bool kill_wanted);

}  // namespace kiln::scheduler
