#include "scheduler/placement/wants.h"

#include <array>

#include "scheduler/placement/needs.h"

namespace kiln::scheduler {
namespace {

void Put(std::string& want, const std::string& text) {
  want += text;
  want += '\0';
}

}  // namespace

std::string WantOf(const std::string& role, const Group& group) {
  const GpuRequest& gpus = group.gpus;
  const std::array<int64_t, 8> numbers = {
      group.cpus_milli,
      group.mem.count,
      DiskFor(group).count,
      group.ports,
      gpus.count,
      static_cast<int64_t>(gpus.share * 1e6),
      gpus.memory.count,
      (SharesExecutor(group) ? 1 : 0) + (SharesDevice(group) ? 2 : 0) + (group.revocable ? 4 : 0),
  };
  std::string want;
  want.reserve(sizeof(numbers) + role.size() + gpus.model.size() + gpus.link.size() +
               gpus.mig.size() + 4);
  want.assign(reinterpret_cast<const char*>(numbers.data()), sizeof(numbers));
  Put(want, role);
  Put(want, gpus.model);
  Put(want, gpus.link);
  Put(want, gpus.mig);
  for (const Volume& volume : group.volumes) {
    if (volume.tie) Put(want, volume.tie->id);
  }
  return want;
}

std::string WantOf(const std::vector<Constraint>& constraints) {
  std::string want;
  for (const Constraint& constraint : constraints) {
    Put(want, constraint.field);
    want += static_cast<char>(constraint.op);
    Put(want, constraint.value);
  }
  return want;
}

GroupFacts FactsOf(const Job& job, const Group& group, const std::string& role) {
  return {AmountsOf(group), WantOf(role, group),
          IsPooled(group) ? ExecutorPool(job, group, role) : std::string(),
          group.constraints.empty(), group.gpus.Any()};
}

const WaitingGroup* PlainGang(const WaitingJob& job) {
  const WaitingGroup* only = nullptr;
  for (const WaitingGroup& group : job.groups) {
    if (!group.in_gang) continue;
    if (only != nullptr) return nullptr;
    only = &group;
  }
  const bool plain = only != nullptr && only->group->constraints.empty() && !job.IsNear() &&
                     !IsPooled(*only->group);
  return plain ? only : nullptr;
}

}  // namespace kiln::scheduler
