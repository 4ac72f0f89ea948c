// A member in a room, as long as it can be taken back.
#pragma once

#include <optional>

#include "scheduler/placement/plan.h"
#include "scheduler/placement/rooms.h"

namespace kiln::scheduler {

struct Placed {
  size_t room;  // by its place in the list
  const Group* group;
  Launch launch;
  Resources charged;            // the launch and the executor that came with it
  bool warmed = false;          // it brought the pool's executor
  std::optional<GpuId> opened;  // a device that is shared with it for the first time
  Resources kept;               // the part of what is charged that is kept for another job
};

// What is free in the room with the member in it.
Resources LeftOf(const Room& room, const Placed& placed);
void PutInto(Room& room, const Placed& placed);
// Who opened a device leaves it after those who share it.
void TakeOutOf(Room& room, const Placed& placed);

}  // namespace kiln::scheduler
