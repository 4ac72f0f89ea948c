#include "tests/simulation/scenario.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/random.h"
#include "model/units.h"

namespace kiln::simulation {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

class Maker {
 public:
  Maker(uint64_t seed, const std::vector<FaultKind>& only) : random_(seed), only_(only) {
    scenario_.seed = seed;
  }

  Scenario Make() {
    scenario_.healed = seconds(60 + Below(420));
    scenario_.ping_timeout = Chance(3) ? seconds(15) : seconds(3);
    scenario_.unreachable_wait = seconds(5 + Below(60));
    scenario_.min_run = seconds(Chance(2) ? 3 : 60);
    if (Chance(2)) AddRoles();
    AddMachines();
    const size_t loads = 2 + Below(10);
    while (scenario_.loads.size() < loads) AddLoad();
    SetLimits();
    AddFaults();
    scenario_.last = {.job = {.name = "last"}, .work_min = seconds(1), .work_max = seconds(1)};
    AddGroup(scenario_.last, 1);
    return std::move(scenario_);
  }

 private:
  uint64_t Below(uint64_t bound) { return random_.Below(bound); }
  bool Chance(uint64_t one_in) { return Below(one_in) == 0; }
  Duration Between(Duration least, Duration most) {
    return least + Duration(static_cast<int64_t>(random_.Unit() *
                                                 static_cast<double>((most - least).count())));
  }

  void AddRoles() {
    scenario_.roles = {"lab"};
    scenario_.sharing.half_life = Chance(2) ? minutes(2) : Duration(0);
    scenario_.sharing.ageing = Chance(2) ? seconds(30) : Duration(0);
    for (const char* name : {"lab/a", "lab/b"}) {
      Role role{.name = name, .weight = 1 + static_cast<double>(Below(3))};
      if (Chance(2)) role.quota[0] = 1000 * static_cast<int64_t>(1 + Below(6));
      scenario_.sharing.roles.push_back(std::move(role));
    }
  }

  // What each job of a role fits into alone, but for a member of each service: that one stays.
  void SetLimits() {
    for (Role& role : scenario_.sharing.roles) {
      if (!Chance(3)) continue;
      role.limit[0] = role.quota[0];
      int64_t stays = 0;
      for (const Load& load : scenario_.loads) {
        const Group& group = load.job.groups[0];
        if (load.job.role != role.name) continue;
        role.limit[0] = std::max(role.limit[0], group.cpus_milli * group.count);
        if (!EndsByItself(load.job.kind)) stays += group.cpus_milli;
      }
      role.limit[0] += stays;
    }
  }

  void AddMachines() {
    const size_t count = 2 + Below(4);
    for (size_t i = 0; i < count; ++i) {
      MachineSpec machine{"cpus:4;mem:8192;disk:10000;ports:[31000-31009]",
                          fmt::format("rack:r{}", i % 2)};
      if (Chance(2)) {
        machine.resources += fmt::format(";nvidia_gpu:{{GPU-{0}-a,GPU-{0}-b}}", i);
        ++gpu_machines_;
      }
      if (Chance(3)) {
        machine.resources += ";cpus{REV}:2";
        lends_ = true;
      }
      scenario_.machines.push_back(std::move(machine));
    }
  }

  void AddLoad() {
    Load load;
    load.job.name = fmt::format("j{}", scenario_.loads.size());
    load.job.priority = 10 * static_cast<int>(1 + Below(9));
    if (!scenario_.sharing.roles.empty() && !Chance(4)) {
      load.job.role = scenario_.sharing.roles[Below(2)].name;
    }
    load.submitted = Between(Duration(0), scenario_.healed * 3 / 4);
    load.work_min = Between(milliseconds(200), seconds(5));
    load.work_max = load.work_min + Between(Duration(0), seconds(60));
    if (Chance(3)) load.fails = 0.3 * random_.Unit();
    if (Chance(4)) load.job.unreachable_wait = Chance(2) ? Duration(0) : kForever;
    if (Chance(10)) load.killed = load.submitted + Between(Duration(0), minutes(2));
    for (uint64_t i = Chance(4) ? Below(3) : 0; i > 0; --i) {
      load.tasks_killed.push_back(load.submitted + Between(Duration(0), minutes(2)));
    }
    switch (Below(11)) {
      case 0:
        AddGroup(load, 1 + Below(6));
        break;
      case 1:
        AddGroup(load, 2 + Below(scenario_.machines.size() * 2 - 1));
        load.job.gang_members = load.job.groups[0].count;
        break;
      case 2:
        AddGroup(load, 3 + Below(4));
        load.job.gang_members = 2;
        break;
      case 3:
        return AddTraining(std::move(load));
      case 4:
        if (models_.empty()) return;
        return AddScoring(std::move(load));
      case 5:
      case 6:
        return AddServer(std::move(load));
      case 7:
      case 8:
        if (gpu_machines_ == 0) return;
        AddGroup(load, 1 + Below(gpu_machines_));
        load.job.groups[0].gpus.count = 1 + static_cast<int>(Below(2));
        if (Chance(2))
          load.job.groups[0].gpus = {.share = 0.25 * (1 + static_cast<double>(Below(3)))};
        if (Chance(2)) load.job.gang_members = load.job.groups[0].count;
        break;
      case 9:
        // Mesos keeps disk for roles alone.
        if (scenario_.sharing.roles.empty()) return;
        AddGroup(load, 1 + Below(3));
        load.job.groups[0].volumes = {
            {.path = "data", .size = MiB(100 * static_cast<int64_t>(1 + Below(20)))}};
        if (Chance(3)) load.job.gang_members = load.job.groups[0].count;
        break;
      case 10:
        if (!lends_) return;
        AddGroup(load, 1 + Below(4));
        load.job.groups[0].revocable = true;
        break;
    }
    // Jobs wait for each other in the order of their names.
    if (Chance(6) && !finite_.empty()) load.job.after = {finite_[Below(finite_.size())]};
    finite_.push_back(load.job.name);
    scenario_.loads.push_back(std::move(load));
  }

  Group& AddGroup(Load& load, uint64_t count) {
    Group group{.name = "g",
                .count = static_cast<int>(count),
                .cpus_milli = 100 * static_cast<int64_t>(2 + Below(9)),
                .mem = MiB(64 * static_cast<int64_t>(1 + Below(8))),
                .work = CommandWork{.shell = "true"},
                .kill_grace = seconds(1 + Below(5))};
    if (Chance(3)) group.max_completion = load.work_max * 2;
    load.job.groups.push_back(std::move(group));
    return load.job.groups.back();
  }

  void AddTraining(Load load) {
    const std::string model = fmt::format("m{}", models_.size());
    Group& group = AddGroup(load, 1 + Below(3));
    group.work = TrainWork{.data = {.uri = "/data.csv"}, .model = model};
    if (Chance(2)) load.job.gang_members = group.count;
    models_.emplace_back(model, load.job.name);
    finite_.push_back(load.job.name);
    scenario_.loads.push_back(std::move(load));
  }

  void AddScoring(Load load) {
    const auto& [model, trainer] = models_[Below(models_.size())];
    Group& group = AddGroup(load, 5 + Below(40));
    group.cpus_milli = 200;
    group.work =
        ScoreWork{.model = {.name = model}, .data = {.uri = "/data.csv"}, .output = "/out"};
    load.job.kind = JobKind::kScoring;
    load.job.after = {trainer};
    load.work_max = load.work_min;
    if (Chance(2)) load.job.pool = "warm";
    finite_.push_back(load.job.name);
    scenario_.loads.push_back(std::move(load));
  }

  void AddServer(Load load) {
    if (servers_ == 3) return;
    ++servers_;
    Group& group = AddGroup(load, 1 + Below(2));
    group.cpus_milli = 300;
    group.max_completion.reset();
    load.job.kind = JobKind::kService;
    load.fails = 0;
    if (!models_.empty() && Chance(2)) {
      load.job.kind = JobKind::kServing;
      group.ports = 1;
      group.work = ServeWork{.models = {{.name = models_[Below(models_.size())].first}}};
    }
    scenario_.loads.push_back(std::move(load));
  }

  void AddFaults() {
    std::vector<FaultKind> menu;
    for (int kind = 0; kind < kFaultKinds; ++kind) {
      const auto one = static_cast<FaultKind>(kind);
      const bool known = only_.empty() || std::find(only_.begin(), only_.end(), one) != only_.end();
      if (known && Chance(2)) menu.push_back(one);
    }
    if (menu.empty()) return;
    const size_t count = Below(24);
    for (size_t i = 0; i < count; ++i) {
      scenario_.faults.push_back({Between(seconds(1), scenario_.healed), menu[Below(menu.size())],
                                  Below(scenario_.machines.size()),
                                  Between(milliseconds(10), seconds(Chance(3) ? 120 : 15))});
    }
    std::sort(scenario_.faults.begin(), scenario_.faults.end(),
              [](const Fault& a, const Fault& b) { return a.at < b.at; });
  }

  Random random_;
  const std::vector<FaultKind>& only_;
  Scenario scenario_;
  size_t gpu_machines_ = 0;
  bool lends_ = false;  // one of the machines
  int servers_ = 0;
  std::vector<std::pair<std::string, std::string>> models_;  // and who trains them
  std::vector<std::string> finite_;                          // jobs that end by themselves
};

}  // namespace

const char* FaultKindName(FaultKind kind) {
  switch (kind) {
    case FaultKind::kCutScheduler:
      return "cut-scheduler";
    case FaultKind::kDivideScheduler:
      return "divide-scheduler";
    case FaultKind::kCutAgent:
      return "cut-agent";
    case FaultKind::kDivideAgent:
      return "divide-agent";
    case FaultKind::kKillScheduler:
      return "kill-scheduler";
    case FaultKind::kKillBeforeCommit:
      return "kill-before-commit";
    case FaultKind::kKillAfterCommit:
      return "kill-after-commit";
    case FaultKind::kKillBetweenCalls:
      return "kill-between-calls";
    case FaultKind::kRefuseCommit:
      return "refuse-commit";
    case FaultKind::kDoubtCommit:
      return "doubt-commit";
    case FaultKind::kKillExecutors:
      return "kill-executors";
    case FaultKind::kRestartAgent:
      return "restart-agent";
    case FaultKind::kLoseMachine:
      return "lose-machine";
    case FaultKind::kReplaceMachine:
      return "replace-machine";
    case FaultKind::kLeave:
      return "leave";
    case FaultKind::kMarkGone:
      return "mark-gone";
    case FaultKind::kKillMaster:
      return "kill-master";
    case FaultKind::kRescind:
      return "rescind";
    case FaultKind::kRepeatUpdates:
      return "repeat-updates";
    case FaultKind::kSlowStarts:
      return "slow-starts";
    case FaultKind::kSlowNetwork:
      return "slow-network";
    case FaultKind::kClockJump:
      return "clock-jump";
    case FaultKind::kSickGpus:
      return "sick-gpus";
    case FaultKind::kTakeOver:
      return "take-over";
    case FaultKind::kTakeBack:
      return "take-back";
  }
  return "";
}

std::string ToText(const Scenario& scenario) {
  std::string text = fmt::format(
      "seed {}: ping {}, unreachable wait {}, min run {}, healed at {}\n", scenario.seed,
      FormatDuration(scenario.ping_timeout), FormatDuration(scenario.unreachable_wait),
      FormatDuration(scenario.min_run), FormatDuration(scenario.healed));
  for (const Role& role : scenario.sharing.roles) {
    text += fmt::format("  role {}: weight {}, quota {}, limit {} thousandths of cpus\n", role.name,
                        role.weight, role.quota[0],
                        role.limit[0] == kUnlimited ? "no" : std::to_string(role.limit[0]));
  }
  for (size_t i = 0; i < scenario.machines.size(); ++i) {
    text += fmt::format("  machine {}: {}\n", i, scenario.machines[i].resources);
  }
  for (const Load& load : scenario.loads) {
    const Group& group = load.job.groups[0];
    text +=
        fmt::format("  {:>8} job {}: {} members of {} thousandths of a cpu",
                    FormatDuration(load.submitted), load.job.name, group.count, group.cpus_milli);
    if (group.gpus.Any()) text += fmt::format(", {} gpus", group.gpus.count + group.gpus.share);
    if (!load.job.role.empty()) text += ", role " + load.job.role;
    if (!group.volumes.empty()) text += ", volume of " + FormatBytes(group.volumes[0].size);
    if (group.revocable) text += ", revocable";
    if (load.job.unreachable_wait) {
      text += *load.job.unreachable_wait == kForever ? ", waits" : ", is replaced";
      text += " where agents are cut off";
    }
    if (load.job.gang_members > 0) text += fmt::format(", gang of {}", load.job.gang_members);
    text += fmt::format(", priority {}, runs {} to {}", load.job.priority,
                        FormatDuration(load.work_min), FormatDuration(load.work_max));
    if (!EndsByItself(load.job.kind)) text += ", without end";
    for (const std::string& after : load.job.after) text += ", after " + after;
    for (const Duration& at : load.tasks_killed) {
      text += ", a task killed at " + FormatDuration(at);
    }
    if (load.killed) text += ", killed at " + FormatDuration(*load.killed);
    text += "\n";
  }
  for (const Fault& fault : scenario.faults) {
    text += fmt::format("  {:>8} {} machine {} for {}\n", FormatDuration(fault.at),
                        FaultKindName(fault.kind), fault.agent, FormatDuration(fault.length));
  }
  return text;
}

Scenario MakeScenario(uint64_t seed, const std::vector<FaultKind>& only) {
  return Maker(seed, only).Make();
}

}  // namespace kiln::simulation
