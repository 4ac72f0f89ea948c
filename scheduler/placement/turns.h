// Waiting jobs as they are served.
#pragma once

#include "scheduler/placement/snapshot.h"

namespace kiln::scheduler {

// Puts the jobs of the snapshot in the order that its sharing asks for. Where roles compete, the
// members of a large group may come in several turns. Without sharing, nothing is changed.
void PutInOrder(Snapshot& snapshot);

}  // namespace kiln::scheduler
