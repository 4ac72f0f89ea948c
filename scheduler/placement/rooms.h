// The free part of what is offered, while a plan is made of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/job.h"
#include "scheduler/placement/snapshot.h"

namespace kiln::scheduler {

// All offers of one agent to one role together.
struct Room {
  const Agent* agent = nullptr;
  std::string role;
  std::vector<OfferId> offers;
  Resources free;
  Resources kept;     // of what is offered, beside `free`: for a job that starts there later
  bool used = false;  // something is launched in it
  bool held = false;  // kept for a gang: nobody else's
};

// Makes the rooms of a snapshot, in the order of agents and roles, an offer at a time. Agents are
// borrowed from the offers.
class RoomMaker {
 public:
  RoomMaker(const Snapshot& snapshot, std::vector<Room>& rooms);

  size_t offers() const { return offers_.size(); }
  // In the order of their numbers.
  void Add(size_t offer);
  // What is left of devices that are shared there, when all offers are there; room by room.
  void AddShares(Room& room);

 private:
  std::vector<Room>& rooms_;
  std::vector<const Offer*> offers_;
  const SharedDevices& shared_;
  SharedDevices::const_iterator next_;  // of them
};

// Of a room, or else of the others; null: it is not known.
const Agent* FindAgent(const AgentId& id, const std::vector<Room>& rooms,
                       const std::map<AgentId, Agent>* others);

bool HasGpus(const Room& room);

// Cpus and memory are enough for a member.
bool MayFit(const Group& group, const Resources& free);

// What a member of the group takes of `free` on this agent: devices and ports are chosen. Nothing
// when it does not fit. Ports are taken from a place that `chance` gives: a port that somebody else
// holds unseen is not tried again and again. A share comes from a device with `share_from`
// thousandths free, when there is one; the device may be one that is not shared yet.
std::optional<Resources> Fit(const Group& group, const Agent& agent, const Resources& free,
                             uint64_t chance, int share_from);

// The same when an executor comes with it, which needs `own` for itself.
std::optional<Resources> FitWith(const Group& group, const Room& room, const Resources& own,
                                 uint64_t chance, int share_from);

// So many members as its disk, ports and revocable cpus are enough for, but not more than `count`.
size_t AtMost(const Group& group, const Room& room, size_t count);

}  // namespace kiln::scheduler
