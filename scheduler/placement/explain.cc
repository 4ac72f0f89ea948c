#include "scheduler/placement/explain.h"

#include <algorithm>
#include <functional>
#include <map>

#include "model/units.h"
#include "scheduler/placement/gpus.h"
#include "scheduler/placement/needs.h"
#include "scheduler/placement/shape.h"

namespace kiln::scheduler {
namespace {

using RoomList = std::vector<const Room*>;
// An amount that a room has; shown as text by Show.
using Amount = std::function<int64_t(const Room&)>;
using Show = std::function<std::string(int64_t)>;

std::string Count(int64_t number) { return std::to_string(number); }
std::string Thousandths(int64_t milli) {
  return fmt::format("{}", static_cast<double>(milli) / 1000);
}
std::string Size(int64_t bytes) { return FormatBytes({bytes}); }

std::string Agents(size_t count) {
  return count == 1 ? "1 agent offered" : fmt::format("{} agents offered", count);
}

// The hostname, or the id where several agents share the hostname.
std::string NameOf(const Room& room, const RoomList& rooms) {
  for (const Room* other : rooms) {
    if (other->agent->hostname == room.agent->hostname && other->agent->id != room.agent->id) {
      return room.agent->id.text;
    }
  }
  return room.agent->hostname.empty() ? room.agent->id.text : room.agent->hostname;
}

const Room& Most(const RoomList& rooms, const Amount& amount) {
  const Room* best = rooms.front();
  int64_t most = amount(*best);
  for (const Room* room : rooms) {
    const int64_t here = amount(*room);
    if (here <= most) continue;
    most = here;
    best = room;
  }
  return *best;
}

// "the most free is 2 on agent7"
std::string MostFree(const RoomList& rooms, const Amount& amount, const Show& show,
                     const char* what = "the most free") {
  const Room& most = Most(rooms, amount);
  return fmt::format("{} is {} on {}", what, show(amount(most)), NameOf(most, rooms));
}

// "8 gpus of model A100 with 40GiB joined by nvlink"
std::string Wanted(const GpuRequest& request) {
  const std::string thing = request.mig.empty() ? "gpu" : fmt::format("{} gpu slice", request.mig);
  std::string text = request.share > 0 ? fmt::format("{} of a {}", request.share, thing)
                                       : fmt::format("{} {}{}", request.count, thing,
                                                     request.count == 1 ? "" : "s");
  if (!request.model.empty()) text += " of model " + request.model;
  if (request.memory.count > 0) text += " with " + FormatBytes(request.memory);
  if (!request.link.empty()) text += " joined by " + request.link;
  return text;
}

// "3 have the model", "1 has the model"
std::string Have(size_t count, const char* what) {
  return fmt::format("{} {} {}", count, count == 1 ? "has" : "have", what);
}

RoomList With(const RoomList& rooms, const GpuRequest& request) {
  RoomList with;
  for (const Room* room : rooms) {
    if (!Acceptable(request, *room->agent).empty()) with.push_back(room);
  }
  return with;
}

// The devices themselves, before any other resource; empty reason when some agent has enough.
Cause ExplainGpus(const GpuRequest& request, const RoomList& rooms) {
  const bool shares = request.share > 0;
  const int wanted = shares ? MilliOf(request) : request.count;
  const Show show = shares ? Thousandths : Count;
  const std::string start = "needs " + Wanted(request) + ": " + Agents(rooms.size());
  const auto free = [](const GpuRequest& asked) {
    return
        [asked](const Room& room) -> int64_t { return MostFreeFor(asked, *room.agent, room.free); };
  };
  RoomList with = rooms;
  std::string found;
  GpuRequest one{.count = 1, .mig = request.mig};
  if (!request.mig.empty()) {
    with = With(with, one);
    if (with.empty()) return {Blocker::kGpuModel, start + ", none has such slices"};
    found += ", " + Have(with.size(), "such slices");
  }
  if (!request.model.empty()) {
    one.model = request.model;
    with = With(with, one);
    if (with.empty()) return {Blocker::kGpuModel, start + ", none has the model"};
    found += ", " + Have(with.size(), "the model");
  }
  if (request.memory.count > 0) {
    one.memory = request.memory;
    with = With(with, one);
    if (with.empty()) return {Blocker::kGpuMemory, start + found + ", none has the memory"};
    found += ", " + Have(with.size(), "the memory");
  }
  GpuRequest unlinked = request;
  unlinked.link.clear();
  if (free(unlinked)(Most(with, free(unlinked))) < wanted) {
    return {Blocker::kGpus, start + found + ", " + MostFree(with, free(unlinked), show)};
  }
  if (free(request)(Most(with, free(request))) < wanted) {
    return {
        Blocker::kGpuLink,
        start + found + ", " + MostFree(with, free(request), Count, "the most joined and free")};
  }
  return {};
}

Cause ExplainConstraints(const RoomList& rooms, const Constraints& constraints) {
  std::map<std::string, size_t> against;
  for (const Room* room : rooms) ++against[ToText(*constraints.Against(*room->agent))];
  std::string list;
  for (const auto& [text, count] : against) list += (list.empty() ? "" : ", ") + text;
  return {Blocker::kConstraint, fmt::format("needs an agent that satisfies {}: {}, none does", list,
                                            Agents(rooms.size()))};
}

struct Dimension {
  Blocker blocker;
  int64_t needed;
  int64_t overhead;  // of it, for the executor
  Amount amount;
  Show show;
  const char* unit;  // after the amount
};

std::vector<Dimension> Dimensions(const Group& group, const Resources& overhead) {
  // Cpus are revocable ones, or others: never both.
  Dimension cpus{Blocker::kCpus,
                 group.cpus_milli + CpusFor(group, overhead),
                 CpusFor(group, overhead),
                 [&group](const Room& room) { return CpusFor(group, room.free); },
                 Thousandths,
                 " cpus"};
  std::vector<Dimension> others{
      {Blocker::kMem, (group.mem + overhead.mem).count, overhead.mem.count,
       [](const Room& room) { return room.free.mem.count; }, Size, " of memory"},
      {Blocker::kDisk, (DiskFor(group) + overhead.disk).count, overhead.disk.count,
       [](const Room& room) { return room.free.disk.count; }, Size, " of disk"},
      {Blocker::kPorts, group.ports, 0,
       [](const Room& room) -> int64_t { return room.free.PortCount(); }, Count, " ports"}};
  if (!group.revocable) {
    others.insert(others.begin(), std::move(cpus));
    return others;
  }
  // Named when nothing else is missing.
  cpus.blocker = Blocker::kRevocable;
  cpus.unit = " revocable cpus";
  others.push_back(std::move(cpus));
  return others;
}

// Each resource is there somewhere, but not together: the scarcest is named first.
Cause ExplainTogether(const Group& group, const RoomList& rooms,
                      const std::vector<Dimension>& dimensions) {
  Cause cause{Blocker::kGpus, {}};
  std::string list;
  size_t fewest = rooms.size() + 1;
  for (const Dimension& dimension : dimensions) {
    if (dimension.needed == 0) continue;
    const auto enough =
        static_cast<size_t>(std::count_if(rooms.begin(), rooms.end(), [&](const Room* room) {
          return dimension.amount(*room) >= dimension.needed;
        }));
    if (enough < fewest) {
      fewest = enough;
      cause.blocker = dimension.blocker;
    }
    list += (list.empty() ? "" : ", ") + dimension.show(dimension.needed) + dimension.unit;
  }
  if (group.gpus.Any()) list += ", " + Wanted(group.gpus);
  cause.reason =
      fmt::format("needs {} on one agent: {}, none has all of it free", list, Agents(rooms.size()));
  return cause;
}

Cause ExplainFree(const Group& group, const std::string& role, const std::vector<Room>& rooms,
                  const std::vector<size_t>* scope, const Constraints& constraints,
                  const Resources& overhead) {
  RoomList offered;
  RoomList allowed;
  for (size_t i = 0; i < (scope == nullptr ? rooms.size() : scope->size()); ++i) {
    const Room& room = rooms[scope == nullptr ? i : (*scope)[i]];
    if (room.role != role) continue;
    offered.push_back(&room);
    if (constraints.Allows(*room.agent)) allowed.push_back(&room);
  }
  if (offered.empty()) {
    return {Blocker::kNoOffers, fmt::format("no agent has offered anything to role {} yet", role)};
  }
  if (allowed.empty()) return ExplainConstraints(offered, constraints);
  if (group.gpus.Any()) {
    if (Cause cause = ExplainGpus(group.gpus, allowed); !cause.reason.empty()) return cause;
  }
  const std::vector<Dimension> dimensions = Dimensions(group, overhead);
  for (const Dimension& dimension : dimensions) {
    if (dimension.amount(Most(allowed, dimension.amount)) >= dimension.needed) continue;
    std::string executor;
    if (dimension.overhead > 0) {
      executor = fmt::format(" and {} for its executor", dimension.show(dimension.overhead));
    }
    return {dimension.blocker, fmt::format("needs {}{}{}: {}, {}",
                                           dimension.show(dimension.needed - dimension.overhead),
                                           dimension.unit, executor, Agents(allowed.size()),
                                           MostFree(allowed, dimension.amount, dimension.show))};
  }
  return ExplainTogether(group, allowed, dimensions);
}

}  // namespace

Cause Explain(const Group& group, const std::string& role, const std::vector<Room>& rooms,
              const std::vector<size_t>* scope, const Constraints& constraints,
              const Resources& overhead) {
  const VolumeTie* tie = TieOf(group);
  if (tie == nullptr) return ExplainFree(group, role, rooms, scope, constraints, overhead);
  const auto there = std::find_if(rooms.begin(), rooms.end(), [&](const Room& room) {
    return room.role == role && room.agent->id == tie->agent;
  });
  std::string why = "it offers nothing at this moment";
  if (there != rooms.end() && !there->free.Empty()) {
    const bool whole = there->free.Contains(VolumesFor(group));
    why = whole ? ExplainFree(group, role, rooms, scope, constraints, overhead).reason
                : "it does not offer that at this moment";
  }
  return {Blocker::kVolume, fmt::format("waits for {}: {}", tie->where, why)};
}

}  // namespace kiln::scheduler
