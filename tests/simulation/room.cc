#include "tests/simulation/room.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "scheduler/placement/gpus.h"

namespace kiln::simulation {
namespace {

using scheduler::State;

bool Stays(const Task& task) { return !IsTerminal(task.state) && !task.kill_wanted; }

// What those who stay leave of an agent.
class Left {
 public:
  Left(const State& state, const AgentId& agent, const Resources& total)
      : cpus_(total.cpus_milli),
        revocable_(total.revocable_cpus_milli),
        mem_(total.mem.count),
        ports_(total.PortCount()) {
    for (const GpuId& gpu : total.gpu_ids) gpus_[gpu] = 1000;
    for (const auto& [id, task] : state.tasks) {
      if (task.agent == agent && Stays(task)) Take(task.resources);
    }
  }

  // Of one group.
  int64_t RoomFor(const Group& group) const {
    int64_t room = std::numeric_limits<int64_t>::max();
    const auto bound = [&room](int64_t left, int64_t needed) {
      if (needed > 0) room = std::min(room, std::max<int64_t>(0, left) / needed);
    };
    bound(group.revocable ? revocable_ : cpus_, group.cpus_milli);
    bound(mem_, group.mem.count);
    bound(ports_, group.ports);
    if (group.gpus.share > 0) bound(SharesOf(scheduler::MilliOf(group.gpus)), 1);
    bound(SharesOf(1000), group.gpus.count);
    return room;
  }

 private:
  void Take(const Resources& resources) {
    cpus_ -= resources.cpus_milli;
    revocable_ -= resources.revocable_cpus_milli;
    mem_ -= resources.mem.count;
    ports_ -= resources.PortCount();
    for (const GpuId& gpu : resources.gpu_ids) gpus_[gpu] = 0;
    for (const GpuShare& share : resources.gpu_shares) gpus_[share.id] -= share.milli;
  }
  // How many times so many thousandths of one device are free.
  int64_t SharesOf(int64_t milli) const {
    int64_t count = 0;
    for (const auto& [gpu, free] : gpus_) count += std::max<int64_t>(0, free) / milli;
    return count;
  }

  int64_t cpus_, revocable_, mem_, ports_;
  std::map<GpuId, int64_t> gpus_;
};

std::string LackOfLimit(const State& state, const std::string& job_role, const Amounts& more,
                        const RoleSettings& roles) {
  for (const Role& role : roles.roles) {
    if (!IsWithin(job_role, role.name)) continue;
    Amounts used = more;
    for (const auto& [id, task] : state.tasks) {
      if (!Stays(task) || !IsWithin(state.jobs.at(task.member.job).job.role, role.name)) continue;
      Add(used, AmountsOf(task.resources));
    }
    for (size_t i = 0; i < used.size(); ++i) {
      if (more[i] == 0 || used[i] <= role.limit[i]) continue;
      return fmt::format("role {} would use {} of {}", role.name, AmountText(i, used[i]),
                         AmountText(i, role.limit[i]));
    }
  }
  return {};
}

}  // namespace

std::string LackOfRoom(const State& state, const scheduler::JobRecord& record,
                       const std::map<AgentId, Resources>& totals, const RoleSettings& roles) {
  const Group& group = record.job.groups[0];
  const int members = record.claim->members;
  int64_t room = 0;
  for (const AgentId& agent : record.claim->agents) {
    const auto total = totals.find(agent);
    if (total == totals.end()) continue;
    room += std::min<int64_t>(members, Left(state, agent, total->second).RoomFor(group));
  }
  if (room < members) return fmt::format("room for {} of {} members", room, members);
  return LackOfLimit(state, record.job.role, Times(AmountsOf(group), members), roles);
}

bool OffersWhatIsTaken(const State& state, const AgentId& agent, const Resources& total,
                       const Resources& offered) {
  Amounts sum = AmountsOf(offered);
  for (const auto& [id, task] : state.tasks) {
    if (task.agent == agent && !IsTerminal(task.state)) Add(sum, AmountsOf(task.resources));
  }
  const Amounts most = AmountsOf(total);
  return !std::ranges::equal(sum, most, std::less_equal());
}

}  // namespace kiln::simulation
