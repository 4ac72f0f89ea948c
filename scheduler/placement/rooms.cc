#include "scheduler/placement/rooms.h"

#include <algorithm>
#include <map>

#include "scheduler/placement/gpus.h"

namespace kiln::scheduler {
namespace {

std::vector<PortRange> LowestPorts(const std::vector<PortRange>& free, int count) {
  std::vector<PortRange> ports;
  for (const PortRange& range : free) {
    if (count == 0) break;
    const int taken = std::min(count, range.end - range.begin + 1);
    ports.push_back({range.begin, range.begin + taken - 1});
    count -= taken;
  }
  return ports;
}

}  // namespace

std::vector<Room> RoomsOf(const std::vector<Offer>& offers) {
  std::map<std::pair<AgentId, std::string>, Room> rooms;
  for (const Offer& offer : offers) {
    Room& room = rooms[{offer.agent.id, offer.role}];
    room.agent = &offer.agent;
    room.role = offer.role;
    room.offers.push_back(offer.id);
    room.free += offer.resources;
  }
  std::vector<Room> list;
  for (auto& [key, room] : rooms) list.push_back(std::move(room));
  return list;
}

bool HasGpus(const Room& room) {
  return room.free.gpus > 0 || !room.free.gpu_ids.empty() || !room.agent->gpus.empty();
}

std::optional<Resources> Fit(const Group& group, const Agent& agent, const Resources& free) {
  if (free.cpus_milli < group.cpus_milli || free.mem < group.mem || free.disk < group.disk) {
    return std::nullopt;
  }
  Resources taken{.cpus_milli = group.cpus_milli, .mem = group.mem, .disk = group.disk};
  if (group.ports > 0) {
    if (free.PortCount() < group.ports) return std::nullopt;
    taken.ports = LowestPorts(free.ports, group.ports);
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
