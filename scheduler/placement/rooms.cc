#include "scheduler/placement/rooms.h"

#include <algorithm>
#include <map>

#include "scheduler/placement/gpus.h"
#include "scheduler/placement/needs.h"

namespace kiln::scheduler {
namespace {

// So many free ports in a row, beginning with the one at `start` and going round.
std::vector<PortRange> PortsFrom(const std::vector<PortRange>& free, int start, int count) {
  Resources ports;
  for (int round = 0; round < 2; ++round) {
    for (const PortRange& range : free) {
      const int size = range.end - range.begin + 1;
      const int skipped = std::min(size, start);
      start -= skipped;
      const int taken = std::min(count, size - skipped);
      count -= taken;
      if (taken == 0) continue;
      const int begin = range.begin + skipped;
      ports += Resources{.ports = {{begin, begin + taken - 1}}};
    }
  }
  return ports.ports;
}

}  // namespace

std::vector<Room> RoomsOf(const Snapshot& snapshot) {
  std::map<std::pair<AgentId, std::string>, Room> rooms;
  for (const Offer& offer : snapshot.offers) {
    Room& room = rooms[{offer.agent.id, offer.role}];
    room.agent = &offer.agent;
    room.role = offer.role;
    room.offers.push_back(offer.id);
    room.free += offer.resources;
  }
  std::vector<Room> list;
  for (auto& [key, room] : rooms) {
    const auto shared = snapshot.shared.find(key);
    if (shared != snapshot.shared.end()) room.free.gpu_shares = shared->second;
    list.push_back(std::move(room));
  }
  return list;
}

bool HasGpus(const Room& room) {
  return room.free.gpus > 0 || !room.free.gpu_ids.empty() || !room.agent->gpus.empty();
}

std::optional<Resources> Fit(const Group& group, const Agent& agent, const Resources& free,
                             uint64_t chance, int share_from) {
  if (free.cpus_milli < group.cpus_milli || free.mem < group.mem || free.disk < group.disk) {
    return std::nullopt;
  }
  Resources taken{.cpus_milli = group.cpus_milli, .mem = group.mem, .disk = group.disk};
  if (group.ports > 0) {
    const int count = free.PortCount();
    if (count < group.ports) return std::nullopt;
    const auto start = static_cast<int>(chance % static_cast<uint64_t>(count));
    taken.ports = PortsFrom(free.ports, start, group.ports);
  }
  if (SharesDevice(group)) {
    if (const auto share = ChooseShare(group.gpus, agent, free, share_from)) {
      taken.gpu_shares = {*share};
      return taken;
    }
  }
  if (group.gpus.Any()) {
    auto gpus = ChooseGpus(group.gpus, agent, free);
    if (!gpus) return std::nullopt;
    taken.gpus = gpus->count;
    taken.gpu_ids = std::move(gpus->ids);
  }
  return taken;
}

}  // namespace kiln::scheduler
