#include "scheduler/placement/placed.h"

#include "scheduler/placement/gpus.h"

namespace kiln::scheduler {

Resources LeftOf(const Room& room, const Placed& placed) {
  Resources left = room.free;
  if (placed.opened) OpenDevice(*placed.opened, left);
  left += placed.kept;
  left -= placed.charged;
  return left;
}

void PutInto(Room& room, const Placed& placed) {
  room.free = LeftOf(room, placed);
  room.kept -= placed.kept;
}

void TakeOutOf(Room& room, const Placed& placed) {
  room.free += placed.charged;
  room.free -= placed.kept;
  room.kept += placed.kept;
  if (placed.opened) CloseDevice(*placed.opened, room.free);
}

}  // namespace kiln::scheduler
