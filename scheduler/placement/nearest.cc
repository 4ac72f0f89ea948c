#include "scheduler/placement/nearest.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "model/units.h"
#include "scheduler/placement/gpus.h"

namespace kiln::scheduler {
namespace {

constexpr size_t kHoldersTold = 3;
constexpr size_t kRoomsSeen = 500'000;

enum class Thing { kGpus, kCpus, kRevocable, kMem, kDisk, kPorts };
constexpr Thing kThings[] = {Thing::kGpus, Thing::kCpus, Thing::kRevocable,
                             Thing::kMem,  Thing::kDisk, Thing::kPorts};

// Cpus and gpus in thousandths, the rest in bytes or by count.
int64_t AmountOf(Thing thing, const Resources& resources) {
  switch (thing) {
    case Thing::kGpus: {
      int64_t milli = 1000 * (static_cast<int64_t>(resources.gpu_ids.size()) + resources.gpus);
      for (const GpuShare& share : resources.gpu_shares) milli += share.milli;
      return milli;
    }
    case Thing::kCpus:
      return resources.cpus_milli;
    case Thing::kRevocable:
      return resources.revocable_cpus_milli;
    case Thing::kMem:
      return resources.mem.count;
    case Thing::kDisk:
      return resources.disk.count;
    case Thing::kPorts:
      return resources.PortCount();
  }
  return 0;
}

std::string Text(Thing thing, int64_t amount) {
  const auto thousandths = static_cast<double>(amount) / 1000;
  switch (thing) {
    case Thing::kGpus:
      return fmt::format("{} gpu{}", thousandths, amount == 1000 ? "" : "s");
    case Thing::kCpus:
      return fmt::format("{} cpu{}", thousandths, amount == 1000 ? "" : "s");
    case Thing::kRevocable:
      return fmt::format("{} revocable cpu{}", thousandths, amount == 1000 ? "" : "s");
    case Thing::kMem:
      return FormatBytes({amount}) + " of memory";
    case Thing::kDisk:
      return FormatBytes({amount}) + " of disk";
    case Thing::kPorts:
      return fmt::format("{} port{}", amount, amount == 1 ? "" : "s");
  }
  return {};
}

int64_t NeedOf(Thing thing, const Group& group, const Resources& overhead) {
  switch (thing) {
    case Thing::kGpus:
      return group.gpus.share > 0 ? MilliOf(group.gpus) : 1000 * group.gpus.count;
    case Thing::kCpus:
      return group.revocable ? 0 : group.cpus_milli + overhead.cpus_milli;
    case Thing::kRevocable:
      return group.revocable ? group.cpus_milli + overhead.revocable_cpus_milli : 0;
    case Thing::kMem:
      return group.mem.count + overhead.mem.count;
    case Thing::kDisk:
      return DiskFor(group).count + overhead.disk.count;
    case Thing::kPorts:
      return group.ports;
  }
  return 0;
}

// Thousandths of devices that the request could have there.
int64_t FreeGpus(const GpuRequest& request, const Room& room) {
  const int64_t most = MostFreeFor(request, *room.agent, room.free);
  return request.share > 0 ? most : 1000 * most;
}

struct Lack {
  Thing thing;
  int64_t amount;
};

struct Near {
  const Room* room = nullptr;
  double part = 0;          // of what is needed, over all things
  bool ours = false;        // tasks of ours have some of what is lacking most
  std::vector<Lack> lacks;  // the largest part first
};

const std::vector<RunningTask>& TasksOn(const Agent& agent, const Outlook& outlook) {
  static const std::vector<RunningTask> kNone;
  const auto tasks = outlook.running->Agents().find(agent.id);
  return tasks == outlook.running->Agents().end() ? kNone : tasks->second;
}

bool HasDevices(const Group& group, const Room& room, const Outlook& outlook) {
  if (!group.gpus.Any()) return true;
  const auto wanted = static_cast<size_t>(DevicesOf(group.gpus));
  if (Acceptable(group.gpus, *room.agent).size() >= wanted) return true;
  if (!group.gpus.AnyDevice()) return false;
  int64_t counted = room.free.gpus;
  for (const RunningTask& task : TasksOn(*room.agent, outlook))
    counted += task.task->resources.gpus;
  return counted >= static_cast<int64_t>(wanted);
}

int64_t FreeOf(Thing thing, const Group& group, const Room& room) {
  return thing == Thing::kGpus ? FreeGpus(group.gpus, room) : AmountOf(thing, room.free);
}

// The part that is missing, over all things.
double PartOf(const Group& group, const Resources& overhead, const Room& room) {
  double part = 0;
  for (const Thing thing : kThings) {
    const int64_t needed = NeedOf(thing, group, overhead);
    const int64_t free = needed == 0 ? 0 : FreeOf(thing, group, room);
    if (free < needed) part += static_cast<double>(needed - free) / static_cast<double>(needed);
  }
  return part;
}

// `part`: of it.
Near NearOf(const Group& group, const Resources& overhead, const Room& room, double part) {
  Near near{.room = &room, .part = part};
  std::vector<std::pair<double, Lack>> lacks;
  for (const Thing thing : kThings) {
    const int64_t needed = NeedOf(thing, group, overhead);
    if (needed == 0) continue;
    const int64_t free = FreeOf(thing, group, room);
    if (free >= needed) continue;
    lacks.push_back(
        {static_cast<double>(needed - free) / static_cast<double>(needed), {thing, needed - free}});
  }
  std::stable_sort(lacks.begin(), lacks.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  for (const auto& [missing, lack] : lacks) near.lacks.push_back(lack);
  return near;
}

// "job a (2 gpus on agent7), job b (1 gpu on agent7), others (4 gpus on agent7)"
std::string HoldersOf(const Group& group, const Near& near, const std::string& name,
                      const Outlook& outlook) {
  const Thing thing = near.lacks[0].thing;
  std::map<std::string, int64_t> jobs;
  int64_t ours = 0;
  for (const RunningTask& task : TasksOn(*near.room->agent, outlook)) {
    const int64_t amount = AmountOf(thing, task.task->resources);
    if (amount == 0) continue;
    jobs[task.job->job->name] += amount;
    ours += amount;
  }
  std::vector<std::pair<int64_t, std::string>> holders;
  for (const auto& [job, amount] : jobs) holders.emplace_back(-amount, "job " + job);
  std::sort(holders.begin(), holders.end());
  const size_t told = std::min(holders.size(), kHoldersTold);
  std::vector<std::string> list;
  for (size_t i = 0; i < told; ++i) {
    list.push_back(
        fmt::format("{} ({} on {})", holders[i].second, Text(thing, -holders[i].first), name));
  }
  if (told < holders.size()) list.push_back(fmt::format("{} more jobs", holders.size() - told));
  if (thing == Thing::kGpus && !near.room->agent->gpus.empty()) {
    // What is in the inventory and neither offered nor ours.
    const auto all = static_cast<int64_t>(Acceptable(group.gpus, *near.room->agent).size()) * 1000;
    const int64_t theirs =
        all - ours - AmountOf(thing, near.room->free) - AmountOf(thing, near.room->kept);
    if (theirs > 0) list.push_back(fmt::format("others ({} on {})", Text(thing, theirs), name));
  }
  return fmt::format("{}", fmt::join(list, ", "));
}

}  // namespace

void Nearest::Tell(const Group& group, const std::string& role, const Constraints& constraints,
                   const Resources& overhead, Cause& cause) {
  if (outlook_ == nullptr || !outlook_->details || seen_ > kRoomsSeen) return;
  seen_ += rooms_.size();
  Near best;
  for (const Room& room : rooms_) {
    if (room.role != role || !constraints.Allows(*room.agent)) continue;
    const double part = PartOf(group, overhead, room);
    if (part == 0 || (best.room != nullptr && part > best.part)) continue;
    if (!HasDevices(group, room, *outlook_)) continue;
    Near near = NearOf(group, overhead, room, part);
    const auto& tasks = TasksOn(*room.agent, *outlook_);
    near.ours = std::any_of(tasks.begin(), tasks.end(), [&](const RunningTask& task) {
      return AmountOf(near.lacks[0].thing, task.task->resources) > 0;
    });
    const bool nearer = best.room == nullptr || near.part < best.part || (near.ours && !best.ours);
    if (nearer) best = std::move(near);
  }
  if (best.room == nullptr) return;
  const std::string name = names_.Of(*best.room->agent);
  std::vector<std::string> lacks;
  for (const Lack& lack : best.lacks) lacks.push_back(Text(lack.thing, lack.amount));
  cause.nearest = fmt::format("{} lacks {}", name, fmt::join(lacks, " and "));
  cause.held_by = HoldersOf(group, best, name, *outlook_);
}

}  // namespace kiln::scheduler
