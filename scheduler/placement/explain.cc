#include "scheduler/placement/explain.h"

#include <algorithm>
#include <map>

#include "model/units.h"
#include "scheduler/placement/gpus.h"
#include "scheduler/placement/needs.h"
#include "scheduler/placement/shape.h"

namespace kiln::scheduler {
namespace {

using RoomList = std::vector<const Room*>;
using Show = std::string (*)(int64_t);

std::string Count(int64_t number) { return std::to_string(number); }
std::string Thousandths(int64_t milli) {
  return fmt::format("{}", static_cast<double>(milli) / 1000);
}
std::string Size(int64_t bytes) { return FormatBytes({bytes}); }

std::string Agents(size_t count) {
  return count == 1 ? "1 agent offered" : fmt::format("{} agents offered", count);
}

// The room that has most of something, the first of those with as much.
struct Top {
  int64_t amount = 0;
  const Room* room = nullptr;

  void See(const Room& one, int64_t here) {
    if (room != nullptr && here <= amount) return;
    amount = here;
    room = &one;
  }
};

// "the most free is 2 on agent7"
std::string MostFree(const Top& top, const Show& show, const Names& names,
                     const char* what = "the most free") {
  return fmt::format("{} is {} on {}", what, show(top.amount), names.Of(*top.room->agent));
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

// Those with a device that will do. Agents are many, and models are few.
RoomList With(const RoomList& rooms, const GpuRequest& request) {
  std::map<std::string_view, bool> models;
  const auto will_do = [&](const Gpu& gpu) {
    if (!AcceptsAnyModel(request, gpu)) return false;
    const auto [model, is_new] = models.try_emplace(gpu.model);
    if (is_new) model->second = IsModel(request.model, gpu.model);
    return model->second;
  };
  RoomList with;
  for (const Room* room : rooms) {
    const std::vector<Gpu>& gpus = room->agent->gpus;
    if (std::any_of(gpus.begin(), gpus.end(), will_do)) with.push_back(room);
  }
  return with;
}

Top MostFor(const GpuRequest& request, const RoomList& rooms) {
  Top top;
  for (const Room* room : rooms) top.See(*room, MostFreeFor(request, *room->agent, room->free));
  return top;
}

// The devices themselves, before any other resource; empty reason when some agent has enough.
Cause ExplainGpus(const GpuRequest& request, const RoomList& rooms, const Names& names) {
  const bool shares = request.share > 0;
  const int wanted = shares ? MilliOf(request) : request.count;
  const Show show = shares ? Thousandths : Count;
  const std::string start = "needs " + Wanted(request) + ": " + Agents(rooms.size());
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
  const Top free = MostFor(unlinked, with);
  if (free.amount < wanted) {
    return {Blocker::kGpus, start + found + ", " + MostFree(free, show, names)};
  }
  if (request.link.empty()) return {};
  const Top joined = MostFor(request, with);
  if (joined.amount < wanted) {
    return {Blocker::kGpuLink,
            start + found + ", " + MostFree(joined, Count, names, "the most joined and free")};
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
  int64_t (*amount)(const Resources& free);
  Show show;
  const char* unit;   // after the amount
  Top top = {};       // the room that has most of it
  size_t enough = 0;  // rooms that have enough of it
};

// As they are in these rooms.
std::vector<Dimension> Dimensions(const Group& group, const Resources& overhead,
                                  const RoomList& rooms) {
  const int64_t cpus = CpusFor(group, overhead);
  std::vector<Dimension> dimensions{
      {Blocker::kMem, (group.mem + overhead.mem).count, overhead.mem.count,
       [](const Resources& free) { return free.mem.count; }, Size, " of memory"},
      {Blocker::kDisk, (DiskFor(group) + overhead.disk).count, overhead.disk.count,
       [](const Resources& free) { return free.disk.count; }, Size, " of disk"},
      {Blocker::kPorts, group.ports, 0,
       [](const Resources& free) -> int64_t { return free.PortCount(); }, Count, " ports"}};
  // Cpus are revocable ones, or others: never both. Revocable ones are named when nothing else is
  // missing.
  if (group.revocable) {
    dimensions.push_back(Dimension{Blocker::kRevocable, group.cpus_milli + cpus, cpus,
                                   [](const Resources& free) { return free.revocable_cpus_milli; },
                                   Thousandths, " revocable cpus"});
  } else {
    dimensions.insert(
        dimensions.begin(),
        Dimension{Blocker::kCpus, group.cpus_milli + cpus, cpus,
                  [](const Resources& free) { return free.cpus_milli; }, Thousandths, " cpus"});
  }
  for (const Room* room : rooms) {
    for (Dimension& dimension : dimensions) {
      const int64_t here = dimension.amount(room->free);
      dimension.top.See(*room, here);
      dimension.enough += here >= dimension.needed ? 1 : 0;
    }
  }
  return dimensions;
}

// Each resource is there somewhere, but not together: the scarcest is named first.
Cause ExplainTogether(const Group& group, size_t rooms, const std::vector<Dimension>& dimensions) {
  Cause cause{Blocker::kGpus, {}};
  std::string list;
  size_t fewest = rooms + 1;
  for (const Dimension& dimension : dimensions) {
    if (dimension.needed == 0) continue;
    if (dimension.enough < fewest) {
      fewest = dimension.enough;
      cause.blocker = dimension.blocker;
    }
    list += (list.empty() ? "" : ", ") + dimension.show(dimension.needed) + dimension.unit;
  }
  if (group.gpus.Any()) list += ", " + Wanted(group.gpus);
  cause.reason =
      fmt::format("needs {} on one agent: {}, none has all of it free", list, Agents(rooms));
  return cause;
}

Cause ExplainFree(const Group& group, const std::string& role, const ExplainView& view,
                  const Constraints& constraints, const Resources& overhead) {
  RoomList offered;
  RoomList allowed;
  const std::vector<Room>& rooms = view.rooms;
  for (size_t i = 0; i < (view.scope == nullptr ? rooms.size() : view.scope->size()); ++i) {
    const Room& room = rooms[view.scope == nullptr ? i : (*view.scope)[i]];
    if (room.role != role) continue;
    offered.push_back(&room);
    if (constraints.Allows(*room.agent)) allowed.push_back(&room);
  }
  if (offered.empty()) {
    return {Blocker::kNoOffers, fmt::format("no agent has offered anything to role {} yet", role)};
  }
  if (allowed.empty()) return ExplainConstraints(offered, constraints);
  if (group.gpus.Any()) {
    Cause cause = ExplainGpus(group.gpus, allowed, view.names);
    if (!cause.reason.empty()) return cause;
  }
  const std::vector<Dimension> dimensions = Dimensions(group, overhead, allowed);
  for (const Dimension& dimension : dimensions) {
    if (dimension.top.amount >= dimension.needed) continue;
    std::string executor;
    if (dimension.overhead > 0) {
      executor = fmt::format(" and {} for its executor", dimension.show(dimension.overhead));
    }
    return {dimension.blocker, fmt::format("needs {}{}{}: {}, {}",
                                           dimension.show(dimension.needed - dimension.overhead),
                                           dimension.unit, executor, Agents(allowed.size()),
                                           MostFree(dimension.top, dimension.show, view.names))};
  }
  return ExplainTogether(group, allowed.size(), dimensions);
}

}  // namespace

Cause Explain(const Group& group, const std::string& role, const ExplainView& view,
              const Constraints& constraints, const Resources& overhead) {
  const VolumeTie* tie = TieOf(group);
  if (tie == nullptr) return ExplainFree(group, role, view, constraints, overhead);
  const auto there = std::find_if(view.rooms.begin(), view.rooms.end(), [&](const Room& room) {
    return room.role == role && room.agent->id == tie->agent;
  });
  std::string why = "it offers nothing at this moment";
  if (there != view.rooms.end() && !there->free.Empty()) {
    const bool whole = there->free.Contains(VolumesFor(group));
    why = whole ? ExplainFree(group, role, view, constraints, overhead).reason
                : "it does not offer that at this moment";
  }
  return {Blocker::kVolume, fmt::format("waits for {}: {}", tie->where, why)};
}

}  // namespace kiln::scheduler
