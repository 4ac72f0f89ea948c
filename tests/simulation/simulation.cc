#include "tests/simulation/simulation.h"

#include <algorithm>
#include <map>
#include <memory>
#include <set>

#include "scheduler/lifecycle/runs.h"
#include "tests/simulation/cable.h"
#include "tests/simulation/checks.h"
#include "tests/simulation/machine.h"
#include "tests/simulation/master_host.h"
#include "tests/simulation/scheduler_host.h"

namespace kiln::simulation {
namespace {

using scheduler::JobPhase;
using scheduler::JobRecord;
using scheduler::State;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr Duration kProgress = minutes(60);  // after the heal everything has ended by then
constexpr Duration kReason = seconds(15);    // what waits for so long has a reason
constexpr uint64_t kStepsMax = 3'000'000;    // more is a circle

class Simulation {
 public:
  Simulation(const Scenario& scenario, const RunOptions& options)
      : scenario_(scenario),
        stage_(scenario, options.canary, options.record),
        checks_(stage_),
        disk_(stage_, checks_),
        master_(
            stage_,
            [this](const std::string& pid, local::MasterToAgent message) {
              ToAgent(pid, std::move(message));
            },
            [this](const std::string& link, const mesos::v1::scheduler::Event& event) {
              Hear(link, event);
            }) {}

  Outcome Run() {
    Begin();
    while (!stage_.history.violation() && !over_ && stage_.timeline.Step()) {
      if (stage_.timeline.steps() > kStepsMax) stage_.history.Violate("I7", "it goes in a circle");
    }
    return {stage_.history.violation(), stage_.random() ^ stage_.timeline.steps(),
            stage_.timeline.steps(), stage_.history.Elapsed(), stage_.history.lines()};
  }

 private:
  struct Site {
    std::unique_ptr<Machine> machine;
    std::unique_ptr<Cable> cable;
  };

  void At(Duration when, std::function<void()> function) {
    stage_.timeline.After(when - stage_.history.Elapsed(), std::move(function));
  }

  void Begin() {
    for (size_t i = 0; i < scenario_.machines.size(); ++i) AddSite(i);
    master_.Start();
    for (SchedulerHost& host : hosts_) {
      host.OnDeath([this, &host] {
        if (&host != leader_) return;
        stage_.timeline.After(milliseconds(10 + stage_.random.Below(stage_.calm ? 500 : 20'000)),
                              [this] { leader_->Start(); });
      });
    }
    leader_->Start();
    for (const Site& site : sites_) site.machine->Start();
    for (const Load& load : scenario_.loads) {
      At(load.submitted, [this, &load] { Submit(load); });
      for (const Duration& at : load.tasks_killed) {
        At(at, [this, &load] { KillTask(load.job.name); });
      }
      if (load.killed) At(*load.killed, [this, &load] { Kill(load.job.name); });
    }
    for (const Fault& fault : scenario_.faults) {
      At(fault.at, [this, &fault] { Inject(fault); });
    }
    At(scenario_.healed, [this] { Heal(); });
    Watch();
  }

  void AddSite(size_t index) {
    sites_.emplace_back();
    const std::string pid = fmt::format("slave(1)@10.0.1.{}:5051", index + 1);
    sites_[index].cable =
        std::make_unique<Cable>(stage_, [this, pid] { master_.Handle(local::AgentLinkCut{pid}); });
    sites_[index].machine = std::make_unique<Machine>(
        stage_, checks_, index,
        Machine::Callbacks{
            .to_master =
                [this, index, pid](local::AgentToMaster message) {
                  sites_[index].cable->Send(Cable::kToMaster,
                                            [this, pid, message = std::move(message)] {
                                              master_.Handle(local::FromAgent{pid, message});
                                            });
                },
            .gone = [this, index] { sites_[index].cable->Cut(); },
            .publish = [this](scheduler::ModelVersion model,
                              std::function<void()> done) { Publish(model, std::move(done)); }});
  }

  void ToAgent(const std::string& pid, local::MasterToAgent message) {
    for (Site& site : sites_) {
      if (site.machine->pid() != pid) continue;
      site.cable->Send(Cable::kToAgent, [&machine = *site.machine, life = site.machine->life(),
                                         message = std::move(message)] {
        if (machine.life() == life) machine.FromMaster(message);
      });
    }
  }

  void Hear(const std::string& link, const mesos::v1::scheduler::Event& event) {
    SchedulerHost& host = link == hosts_[0].link() ? hosts_[0] : hosts_[1];
    host.Heard(event);
    if (stage_.canary != Canary::kEarlyAcknowledgement || !event.update().status().has_uuid()) {
      return;
    }
    const auto& status = event.update().status();
    local::SchedulerCall input;
    input.call.set_type(mesos::v1::scheduler::Call::ACKNOWLEDGE);
    *input.call.mutable_acknowledge()->mutable_agent_id() = status.agent_id();
    *input.call.mutable_acknowledge()->mutable_task_id() = status.task_id();
    input.call.mutable_acknowledge()->set_uuid(status.uuid());
    checks_.CallGoesOut(host.life(), input.call, stage_.timeline.now());
    if (!master_.up() || master_.master()->frameworks().empty()) return;
    const auto& [id, framework] = *master_.master()->frameworks().begin();
    input.call.mutable_framework_id()->set_value(id);
    input.stream_id = framework.stream;
    master_.Handle(input);
  }

  // Users ask whom they know, who may lead no more, and try again until they are told that it is
  // done.
  using Ask = std::function<void(scheduler::Scheduler&, scheduler::Backend::Done)>;
  void Until(const std::string& what, Ask ask, std::function<void()> done) {
    auto answered = std::make_shared<bool>(false);
    const auto again = [this, what, ask, done] {
      stage_.timeline.After(seconds(1 + stage_.random.Below(4)),
                            [this, what, ask, done] { Until(what, ask, done); });
    };
    SchedulerHost& host = hosts_[1].up() && stage_.random.Below(2) == 0 ? hosts_[1] : hosts_[0];
    if (!host.up()) return again();
    ask(*host.get(),
        [this, what, done, again, answered, &host, life = host.life()](const Status& status) {
          if (life != host.life() || !host.up() || std::exchange(*answered, true)) return;
          if (status) return done();
          stage_.history.Note("{} gets: {}", what, status.error().message);
          again();
        });
    // Whoever hears nothing asks again.
    stage_.timeline.After(seconds(30), [again, answered] {
      if (!std::exchange(*answered, true)) again();
    });
  }

  void Submit(const Load& load) {
    Until(
        "submit of " + load.job.name,
        [&load](scheduler::Scheduler& scheduler, scheduler::Backend::Done done) {
          scheduler.Submit(load.job, 1, std::move(done));
        },
        [this, &load] {
          if (!submitted_.insert(load.job.name).second) return;
          stage_.history.Note("user is told that {} is submitted", load.job.name);
          checks_.Submitted(load.job.name);
        });
  }

  void Kill(const std::string& job) {
    if (!submitted_.contains(job)) {
      stage_.timeline.After(seconds(5), [this, job] { Kill(job); });
      return;
    }
    Until(
        "kill of " + job,
        [job](scheduler::Scheduler& scheduler, scheduler::Backend::Done done) {
          scheduler.Kill(job, std::move(done));
        },
        [this, job] { stage_.history.Note("user is told that {} is killed", job); });
  }

  // One that lives, once: whether that is heard of or not.
  void KillTask(const std::string& job) {
    if (!leader_->up()) return;
    std::vector<TaskId> live;
    for (const auto& [id, task] : leader_->get()->state().tasks) {
      if (task.member.job == job && !IsTerminal(task.state)) live.push_back(id);
    }
    if (live.empty()) return;
    const TaskId& task = live[stage_.random.Below(live.size())];
    stage_.history.Note("user kills task {}", task.text);
    leader_->get()->KillTask(task, [](const Status&) {});
  }

  void Publish(const scheduler::ModelVersion& model, std::function<void()> done) {
    Until(
        "model " + model.model,
        [model](scheduler::Scheduler& scheduler, scheduler::Backend::Done answer) {
          scheduler.Register(model, [answer](const Result<int64_t>& number) {
            answer(number ? Status() : Status(Failure(number.error())));
          });
        },
        std::move(done));
  }

  void Inject(const Fault& fault) {
    if (stage_.calm) return;
    stage_.history.Note("fault {} of machine {} for {}", FaultKindName(fault.kind), fault.agent,
                        FormatDuration(fault.length));
    Site& site = sites_[fault.agent];
    const auto later = [&](std::function<void()> function) {
      stage_.timeline.After(fault.length, std::move(function));
    };
    switch (fault.kind) {
      case FaultKind::kCutScheduler:
        return stage_.network.Cut(leader_->link());
      case FaultKind::kDivideScheduler:
        stage_.network.Divide(leader_->link());
        return later([this, link = leader_->link()] { stage_.network.Heal(link); });
      case FaultKind::kCutAgent:
        return site.cable->Cut();
      case FaultKind::kDivideAgent:
        site.cable->Divide(stage_.random.Below(2) == 0);
        return later([&site] { site.cable->Heal(); });
      case FaultKind::kKillScheduler:
        return leader_->Kill();
      case FaultKind::kKillBeforeCommit:
        return leader_->SetFate(CommitFate::kDiesBefore);
      case FaultKind::kKillAfterCommit:
        return leader_->SetFate(CommitFate::kDiesAfter);
      case FaultKind::kKillBetweenCalls:
        return leader_->SetFate(CommitFate::kDiesBetweenCalls);
      case FaultKind::kRefuseCommit:
        return leader_->SetFate(CommitFate::kRefused);
      case FaultKind::kDoubtCommit:
        return leader_->SetFate(CommitFate::kDoubted);
      case FaultKind::kKillExecutors:
        return site.machine->KillExecutors();
      case FaultKind::kRestartAgent:
        site.machine->KillAgent();
        return later([&site] { site.machine->Start(); });
      case FaultKind::kLoseMachine:
      case FaultKind::kReplaceMachine:
        LoseMachine(*site.machine, fault.kind == FaultKind::kReplaceMachine);
        return later([&site] { site.machine->Start(); });
      case FaultKind::kLeave:
        return site.machine->Leave();
      case FaultKind::kMarkGone:
        if (!site.machine->agent_id().empty()) GiveUp(site.machine->agent_id());
        return;
      case FaultKind::kKillMaster:
        return KillMaster(fault.length);
      case FaultKind::kRescind:
        return master_.RescindAll();
      case FaultKind::kRepeatUpdates:
        return master_.RepeatUpdates();
      case FaultKind::kSlowStarts:
        stage_.slow_starts = true;
        return later([this] { stage_.slow_starts = false; });
      case FaultKind::kSlowNetwork:
        stage_.network.SetDelay(seconds(2));
        return later([this] { stage_.network.SetDelay(milliseconds(2)); });
      case FaultKind::kClockJump:
        return leader_->JumpClock(fault.agent % 2 == 0 ? fault.length : -fault.length);
      case FaultKind::kSickGpus:
        site.machine->SetSick(true);
        return later([&site] { site.machine->SetSick(false); });
      case FaultKind::kTakeOver:
        return TakeOver();
      case FaultKind::kTakeBack:
        return site.machine->TakeBack();
    }
  }

  void KillMaster(Duration length) {
    if (!master_.up()) return;
    stage_.history.Note("master is killed");
    master_.Kill();
    stage_.timeline.After(length, [this] {
      if (!master_.up()) master_.Start();
    });
  }

  void LoseMachine(Machine& machine, bool with_its_disk) {
    if (with_its_disk) checks_.DiskLost(machine.agent_id());
    machine.Lose(with_its_disk);
  }

  void TakeOver() {
    SchedulerHost& next = leader_ == &hosts_[0] ? hosts_[1] : hosts_[0];
    next.Kill();
    leader_ = &next;
    next.Start();
  }

  void GiveUp(const std::string& agent_id) {
    checks_.DiskLost(agent_id);
    master_.MarkGone(agent_id);
  }

  void Heal() {
    stage_.history.Note("everything is healed");
    stage_.calm = true;
    stage_.slow_starts = false;
    stage_.network.SetDelay(milliseconds(2));
    for (SchedulerHost& host : hosts_) {
      stage_.network.Heal(host.link());
      host.SetFate(CommitFate::kDone);
    }
    if (!master_.up()) master_.Start();
    leader_->Start();
    for (Site& site : sites_) {
      site.cable->Heal();
      site.machine->SetSick(false);
      site.machine->Start();
    }
  }

  // Looks about every few seconds.
  void Watch() {
    CheckReasons();
    if (stage_.calm) CheckProgress();
    if (over_) return;
    stage_.timeline.After(seconds(5), [this] { Watch(); });
  }

  // Members of a job that neither live nor have finished.
  static int WaitingOf(const State& state, const JobRecord& record) {
    if (IsEnded(record.phase) || record.phase == JobPhase::kKilling) return 0;
    std::vector<const Task*> tasks;
    for (const auto& [id, task] : state.tasks) {
      if (task.member.job == record.job.name) tasks.push_back(&task);
    }
    int waiting = 0;
    for (const auto& group : scheduler::Derive(record.job, tasks).groups) {
      waiting += static_cast<int>(group.members.size()) - group.live - group.finished;
    }
    return waiting;
  }

  void CheckReasons() {
    const Instant now = stage_.timeline.now();
    if (!leader_->up() || !leader_->get()->GetHealth().recovered) return waits_.clear();
    const State& state = leader_->get()->state();
    for (const auto& [name, record] : state.jobs) {
      if (WaitingOf(state, record) == 0) {
        waits_.erase(name);
        continue;
      }
      const Instant since = waits_.emplace(name, now).first->second;
      if (now - since < kReason || !leader_->get()->Why(name).empty()) continue;
      stage_.history.Violate("I11", fmt::format("job {} waits without a reason", name));
    }
  }

  // After the heal: what ends by itself ends, what does not runs whole and is killed then, and
  // nothing is left.
  void CheckProgress() {
    std::string open = OpenWork();
    if (open.empty()) {
      over_ = true;
      stage_.history.Note("all is done");
    } else if (stage_.history.Elapsed() > scenario_.healed + kProgress) {
      stage_.history.Violate("I7", open);
    }
  }

  std::string OpenWork() {
    if (submitted_.size() < scenario_.loads.size() + (swept_ ? 1 : 0))
      return "not all jobs are submitted";
    if (!leader_->up()) return "the scheduler is dead";
    if (hosts_[0].up() && hosts_[1].up()) return "two schedulers live";
    const State& state = leader_->get()->state();
    Operate(state);
    std::string open;
    for (const auto& [name, record] : state.jobs) {
      if (IsEnded(record.phase)) continue;
      if (Hopeless(state, record)) EndOnce(name);
      // Others may wait for what it has of their role's limit.
      if (!EndsByItself(record.job.kind) && WaitingOf(state, record) == 0 && RunsWhole(record)) {
        EndOnce(name);
      }
      if (!open.empty()) continue;
      open = fmt::format("job {} is {}{}", name, JobPhaseName(record.phase), ReasonsOf(name));
    }
    if (!open.empty()) return open;
    if (checks_.Live() > 0) return fmt::format("{} tasks still run", checks_.Live());
    const std::string left = Leftovers();
    // A SHUTDOWN or DESTROY of what nobody knows, and that was lost, is made good with the next
    // offers.
    const bool settled = stage_.history.Elapsed() > scenario_.healed + minutes(5);
    if (!left.empty() && settled && LosesCalls() && !std::exchange(swept_, true)) {
      Submit(scenario_.last);
    }
    return left;
  }

  std::string Leftovers() const {
    for (const Site& site : sites_) {
      if (site.machine->containers() > 0) return "executors still run";
      if (site.machine->Reserves()) return "a volume is left";
    }
    return {};
  }

  // Agents that do not come back, and that somebody waits for, are given up by their operator, and
  // where Mesos has forgotten them the job by its user.
  void Operate(const State& state) {
    if (stage_.history.Elapsed() < scenario_.healed + minutes(5)) return;
    std::set<std::string> agents;
    for (const Site& site : sites_) agents.insert(site.machine->agent_id());
    const auto give_up = [&](const AgentId& agent, const std::string& job) {
      if (agents.contains(agent.text)) return;
      if (given_up_.insert(agent.text).second) GiveUp(agent.text);
      if (stage_.history.Elapsed() > scenario_.healed + minutes(10)) EndOnce(job);
    };
    for (const auto& [id, volume] : state.volumes) give_up(volume.agent, volume.member.job);
    for (const auto& [id, task] : state.tasks) {
      if (task.state == TaskState::kUnreachable && !scheduler::GivenUp(task)) {
        give_up(task.agent, task.member.job);
      }
    }
  }

  // Something between the scheduler and an agent may have got lost.
  bool LosesCalls() const {
    static const std::set<FaultKind> kinds = {FaultKind::kCutScheduler, FaultKind::kDivideScheduler,
                                              FaultKind::kCutAgent,     FaultKind::kDivideAgent,
                                              FaultKind::kRestartAgent, FaultKind::kKillMaster,
                                              FaultKind::kSlowNetwork};
    return std::any_of(scenario_.faults.begin(), scenario_.faults.end(),
                       [](const Fault& fault) { return kinds.contains(fault.kind); });
  }

  // What it waits for does not come.
  static bool Hopeless(const State& state, const JobRecord& record) {
    for (const std::string& before : record.job.after) {
      const auto found = state.jobs.find(before);
      if (found != state.jobs.end() && IsEnded(found->second.phase) &&
          found->second.phase != JobPhase::kSucceeded) {
        return true;
      }
    }
    for (const Group& group : record.job.groups) {
      const auto* serve = std::get_if<ServeWork>(&group.work);
      if (serve == nullptr || state.models.contains(serve->models[0].name)) continue;
      const bool comes = std::any_of(state.jobs.begin(), state.jobs.end(), [&](const auto& job) {
        const auto* train = std::get_if<TrainWork>(&job.second.job.groups[0].work);
        return !IsEnded(job.second.phase) && train != nullptr &&
               train->model == serve->models[0].name;
      });
      if (!comes) return true;
    }
    return false;
  }

  bool RunsWhole(const JobRecord& record) const {
    size_t members = 0;
    for (const Group& group : record.job.groups) members += static_cast<size_t>(group.count);
    return checks_.LiveOf(record.job.name).size() == members;
  }

  void EndOnce(const std::string& job) {
    if (ended_.insert(job).second) Kill(job);
  }

  std::string ReasonsOf(const std::string& job) {
    std::string text;
    for (const auto& refusal : leader_->get()->Why(job)) text += "; " + refusal.reason;
    return text;
  }

  const Scenario& scenario_;
  Stage stage_;
  Checks checks_;
  Disk disk_;
  SchedulerHost hosts_[2]{{stage_, checks_, disk_, "scheduler-a"},
                          {stage_, checks_, disk_, "scheduler-b"}};
  SchedulerHost* leader_ = hosts_;
  MasterHost master_;
  std::vector<Site> sites_;
  std::set<std::string> submitted_;       // and told so
  std::set<std::string> ended_;           // by their users, after the heal
  std::set<std::string> given_up_;        // agents, then
  std::map<std::string, Instant> waits_;  // jobs, since when
  bool swept_ = false;
  bool over_ = false;
};

}  // namespace

Outcome Run(const Scenario& scenario, const RunOptions& options) {
  return Simulation(scenario, options).Run();
}

}  // namespace kiln::simulation
