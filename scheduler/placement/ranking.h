// Compares the rooms of one plan by a policy.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "scheduler/placement/index.h"
#include "scheduler/placement/policy.h"
#include "scheduler/placement/rooms.h"
#include "scheduler/placement/shapes.h"

namespace kiln::scheduler {

// Rooms and snapshot outlive it. Rooms are known by their place in the list.
class Ranking {
 public:
  Ranking(const Snapshot& snapshot, const std::vector<Room>& rooms, const Policy& policy)
      : snapshot_(snapshot), rooms_(rooms), policy_(policy) {}

  // First all rooms are seen, in their order, and then entered into the index.
  void See(size_t room);
  void Enter(size_t room);

  struct Place {
    size_t room = 0;
    int share_from = 0;  // free thousandths of the device that a share comes from
  };
  // The best of the role's rooms that nobody holds, found by an index. Whether ports, disk and
  // links are there too has to be seen. Nothing: the group fits no room.
  // `overhead` comes with the member.
  std::optional<Place> Best(const Group& group, const std::string& role, const Resources& overhead);
  // How many members fit into the rooms of the role that nobody holds, as far as shapes tell.
  size_t CountOf(const Group& group, const std::string& role);
  // From here on, only these rooms of the role are looked at by Best; null: all of them.
  void Narrow(const std::vector<size_t>* rooms);
  // How many members fit into one room, or more than do: links and the like have to be seen.
  size_t Holds(size_t room, const Group& group, const Need& need) const;
  Need NeedOf(const Group& group) { return shapes_.Of(group); }
  // Of the room when so much is left of it: higher is better.
  std::pair<double, double> Score(size_t room, const Resources& left);
  // What is free in the room, or whether it is held, has changed.
  void Update(size_t room);

 private:
  struct Field {  // the rooms of a role
    ClusterIndex index;
    std::vector<size_t> rooms;  // by node
  };
  Workload Known();
  const Judge& judge();
  Field& FieldOf(const std::string& role);
  const Shape& Open(size_t room) const;

  const Snapshot& snapshot_;
  const std::vector<Room>& rooms_;
  const Policy& policy_;
  Shapes shapes_;
  std::vector<Shape> of_;  // by room
  std::unique_ptr<Judge> judge_;
  std::map<std::string, Field> fields_;
  std::vector<int> nodes_;  // by room, in the field of its role
  std::optional<Field> narrow_;
  std::vector<int> narrow_nodes_;  // by room, -1 for those that are left out
};

}  // namespace kiln::scheduler
