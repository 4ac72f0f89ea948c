// What a plan is made on: the rooms, and what is known of each.
#pragma once

#include <vector>

#include "scheduler/placement/names.h"
#include "scheduler/placement/ranking.h"
#include "scheduler/placement/rooms.h"
#include "scheduler/placement/warmth.h"

namespace kiln::scheduler {

// Made a part at a time, as there may be many. Snapshot and policy outlive it.
class Ground {
 public:
  Ground(const Snapshot& snapshot, const Policy& policy)
      : ranking_(snapshot, rooms_, policy),
        warmth_(snapshot.warm),
        maker_(snapshot, rooms_),
        brief_(snapshot.brief) {}
  Ground(const Ground&) = delete;
  Ground& operator=(const Ground&) = delete;

  // Goes on until what it costs has brought the looks at agents to so many. Gives whether all is
  // there.
  bool GoOn(size_t& looks, size_t looks_max);

  std::vector<Room>& rooms() { return rooms_; }
  Ranking& ranking() { return ranking_; }
  Warmth& warmth() { return warmth_; }
  // None in a brief plan.
  const Names& names() const { return names_; }

 private:
  std::vector<Room> rooms_;
  Ranking ranking_;
  Warmth warmth_;
  Names names_;
  RoomMaker maker_;
  const bool brief_;
  size_t made_ = 0;     // offers that are in rooms
  size_t seen_ = 0;     // rooms of which is known what is there
  size_t entered_ = 0;  // rooms that are in the index
};

}  // namespace kiln::scheduler
