#include "scheduler/placement/rooms.h"

#include <algorithm>
#include <tuple>

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

RoomMaker::RoomMaker(const Snapshot& snapshot, std::vector<Room>& rooms)
    : rooms_(rooms), shared_(snapshot.shared), next_(shared_.begin()) {
  offers_.reserve(snapshot.offers.size());
  for (const Offer& offer : snapshot.offers) offers_.push_back(&offer);
  const auto before = [](const Offer* a, const Offer* b) {
    return std::tie(a->agent.id, a->role) < std::tie(b->agent.id, b->role);
  };
  if (!std::is_sorted(offers_.begin(), offers_.end(), before)) {
    std::stable_sort(offers_.begin(), offers_.end(), before);
  }
  rooms_.reserve(offers_.size());
}

void RoomMaker::Add(size_t number) {
  const Offer& offer = *offers_[number];
  if (rooms_.empty() || rooms_.back().agent->id != offer.agent.id ||
      rooms_.back().role != offer.role) {
    rooms_.push_back({.agent = &offer.agent, .role = offer.role});
  }
  rooms_.back().agent = &offer.agent;
  rooms_.back().offers.push_back(offer.id);
  rooms_.back().free += offer.resources;
}

void RoomMaker::AddShares(Room& room) {
  const auto place = std::tie(room.agent->id, room.role);
  while (next_ != shared_.end() && std::tie(next_->first.first, next_->first.second) < place) {
    ++next_;
  }
  const bool here =
      next_ != shared_.end() && std::tie(next_->first.first, next_->first.second) == place;
  if (here) room.free.gpu_shares = next_->second;
}

const Agent* FindAgent(const AgentId& id, const std::vector<Room>& rooms,
                       const std::map<AgentId, Agent>* others) {
  const auto room =
      std::lower_bound(rooms.begin(), rooms.end(), id,
                       [](const Room& a, const AgentId& b) { return a.agent->id < b; });
  if (room != rooms.end() && room->agent->id == id) return room->agent;
  if (others == nullptr) return nullptr;
  const auto other = others->find(id);
  return other == others->end() ? nullptr : &other->second;
}

bool HasGpus(const Room& room) {
  return room.free.gpus > 0 || !room.free.gpu_ids.empty() || !room.agent->gpus.empty();
}

bool MayFit(const Group& group, const Resources& free) {
  return CpusFor(group, free) >= group.cpus_milli && free.mem >= group.mem;
}

std::optional<Resources> Fit(const Group& group, const Agent& agent, const Resources& free,
                             uint64_t chance, int share_from) {
  if (!MayFit(group, free) || free.disk < DiskFor(group)) return std::nullopt;
  Resources taken{.mem = group.mem, .disk = DiskFor(group)};
  if (!group.volumes.empty()) {
    taken += VolumesFor(group);
    if (!free.Contains({.volumes = taken.volumes})) return std::nullopt;
  }
  (group.revocable ? taken.revocable_cpus_milli : taken.cpus_milli) = group.cpus_milli;
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

std::optional<Resources> FitWith(const Group& group, const Room& room, const Resources& own,
                                 uint64_t chance, int share_from) {
  if (!room.free.Contains(own)) return std::nullopt;
  Resources free = room.free;
  free -= own;
  return Fit(group, *room.agent, free, chance, share_from);
}

size_t AtMost(const Group& group, const Room& room, size_t count) {
  if (group.revocable) {
    count = std::min(count, static_cast<size_t>(CpusFor(group, room.free) / group.cpus_milli));
  }
  if (const int64_t disk = DiskFor(group).count; disk > 0) {
    count = std::min(count, static_cast<size_t>(room.free.disk.count / disk));
  }
  if (!group.volumes.empty() && !room.free.Contains(VolumesFor(group))) return 0;
  if (group.ports > 0) {
    count = std::min(count, static_cast<size_t>(room.free.PortCount() / group.ports));
  }
  return count;
}

}  // namespace kiln::scheduler
