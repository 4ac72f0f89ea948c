// A lifecycle in a small cluster where everything fails that can fail, from a seed. What must
// always hold is checked after every step: I1 no acknowledged submit is lost, I2 no copy too many,
// I3 the framework id lasts before anything is launched, I5 nothing is launched before what ran is
// accounted for, I7 progress after the heal, I11 a reason for all that waits.
#include <gtest/gtest.h>

#include <deque>

#include "scheduler/lifecycle/harness_for_test.h"
#include "scheduler/placement/place.h"

namespace kiln::scheduler {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// The cluster's side: agents, the tasks that really run, and updates that wait to be acknowledged.
struct Cluster {
  struct Running {
    AgentId agent;
    MemberId member;
    bool ends_well = true;
  };
  std::map<AgentId, bool> reachable;
  std::map<TaskId, Running> running;
  std::map<TaskId, StatusUpdate> unacknowledged;  // terminal ones
  std::map<TaskId, AgentId> known;                // to the master
};

class Storm {
 public:
  explicit Storm(uint64_t seed) : random_(seed) {
    for (const char* name : {"a1", "a2", "a3"}) cluster_.reachable[{name}] = true;
    life_ = std::make_unique<Lifecycle>(State{}, settings_, seed);
    Commit();
    Connect();
  }

  void Run() {
    for (int step = 0; step < 400 && !testing::Test::HasFailure(); ++step) {
      if (step % 40 == 0) SubmitOne(step / 40);
      Fault();
      Turn();
    }
    for (auto& [agent, up] : cluster_.reachable) Heal(agent);
    for (int step = 0; step < 600 && !testing::Test::HasFailure(); ++step) Turn();
    if (!testing::Test::HasFailure()) ExpectAllEnded();
  }

 private:
  void SubmitOne(int number) {
    const std::string name = "j" + std::to_string(number);
    Job job = number % 2 == 0 ? CommandJob(name, 3) : TrainingJob(name, 2);
    if (number % 4 == 0) job.gang_members = 3;
    ASSERT_TRUE(life_->Submit(job, 1, clock_.Now()));
    Commit();
    submitted_.push_back(name);
  }

  void Fault() {
    const AgentId agent{"a" + std::to_string(1 + random_.Below(3))};
    switch (random_.Below(40)) {
      case 0:
        return CutOff(agent);
      case 1:
      case 2:
        return Heal(agent);
      case 3:
        return Lose(agent);
      case 4:
        // Dies before the commit: what was not remembered has not happened.
        return Restart();
      case 5:
        // Dies between the commit and the calls.
        DecideAndCommit();
        return Restart();
      case 6:
        connected_ = false;
        life_->Disconnected();
        return Connect();
      default:
        return;
    }
  }

  void Turn() {
    clock_.Advance(milliseconds(random_.Below(2000)));
    EndSome();
    Deliver();
    life_->Tick(clock_.Now());
    const Effects effects = DecideAndCommit();
    Act(effects);
    Check();
  }

  // Every third task or so ends, and most of them well.
  void EndSome() {
    std::vector<TaskId> ending;
    for (const auto& [id, task] : cluster_.running) {
      if (random_.Below(4) == 0) ending.push_back(id);
    }
    for (const TaskId& id : ending) {
      Stop(id, random_.Below(8) == 0 ? TaskState::kFailed : TaskState::kFinished);
    }
  }

  void Stop(const TaskId& id, TaskState state) {
    const AgentId agent = cluster_.running.at(id).agent;
    cluster_.running.erase(id);
    cluster_.unacknowledged[id] = {
        .task = id, .agent = agent, .state = state, .uuid = "u", .by_executor = true};
  }

  // Agents repeat what is not acknowledged; some of it is lost on the way.
  void Deliver() {
    if (!connected_) return;
    const auto updates = cluster_.unacknowledged;
    for (const auto& [id, update] : updates) {
      if (cluster_.reachable.at(update.agent) && random_.Below(3) != 0) {
        life_->Update(update, clock_.Now());
      }
    }
    for (const auto& [id, task] : cluster_.running) {
      if (cluster_.reachable.at(task.agent) && random_.Below(3) == 0) {
        Tell(id, task.agent, TaskState::kRunning);
      }
    }
  }

  void Tell(const TaskId& id, const AgentId& agent, TaskState state) {
    if (!connected_) return;
    life_->Update({.task = id, .agent = agent, .state = state}, clock_.Now());
  }

  void CutOff(const AgentId& agent) {
    if (!std::exchange(cluster_.reachable[agent], false)) return;
    for (const auto& [id, on] : cluster_.known) {
      if (on == agent) Tell(id, agent, TaskState::kUnreachable);
    }
  }

  void Heal(const AgentId& agent) {
    if (std::exchange(cluster_.reachable[agent], true)) return;
    for (const auto& [id, task] : cluster_.running) {
      if (task.agent == agent) Tell(id, agent, TaskState::kRunning);
    }
  }

  // The agent dies with all that ran on it.
  void Lose(const AgentId& agent) {
    std::erase_if(cluster_.running, [&](const auto& task) { return task.second.agent == agent; });
    std::erase_if(cluster_.unacknowledged,
                  [&](const auto& update) { return update.second.agent == agent; });
    std::erase_if(cluster_.known, [&](const auto& task) { return task.second == agent; });
    if (connected_) life_->AgentLost(agent, clock_.Now());
  }

  Effects DecideAndCommit() {
    const Sight sight = life_->See(clock_.Now());
    if (connected_ && !sight.jobs.empty()) {
      Snapshot snapshot{.jobs = sight.jobs, .warm = &life_->Warm()};
      std::map<AgentId, Agent> agents;
      for (const auto& [id, up] : cluster_.reachable) {
        Resources free{.cpus_milli = 4000, .mem = GiB(64)};
        for (const auto& [task, running] : cluster_.running) {
          if (running.agent == id) free.cpus_milli -= 1000;
        }
        agents[id] = {.id = id, .hostname = id.text};
        if (!up || free.cpus_milli <= 0) continue;
        snapshot.offers.push_back(
            {.id = {"o" + id.text}, .agent = agents[id], .role = "*", .resources = free});
      }
      const Plan plan = Place(snapshot, kPack);
      ExpectReasons(sight, plan);
      life_->LaunchAll(plan.launches, agents, clock_.Now());
    }
    Effects effects = life_->TakeEffects();
    EXPECT_TRUE(effects.starts.empty() || life_->Settled(clock_.Now())) << "I5";
    EXPECT_EQ(life_->TasksByState(), CountStates(life_->state()));
    durable_ = life_->state();
    return effects;
  }

  void Commit() {
    life_->TakeEffects();
    durable_ = life_->state();
  }

  void Act(const Effects& effects) {
    if (!connected_) return;
    for (const Acknowledgement& one : effects.acknowledgements) {
      cluster_.unacknowledged.erase(one.task);
      cluster_.known.erase(one.task);
    }
    for (const LaunchCall& start : effects.starts) LaunchOne(start.task);
    for (const KillCall& kill : effects.kills) KillOne(kill);
    for (const ReconcileCall& call : effects.reconciles) Reconcile(call);
  }

  void LaunchOne(const TaskId& id) {
    EXPECT_FALSE(durable_.framework_id.empty()) << "I3";
    const Task& task = durable_.tasks.at(id);
    EXPECT_TRUE(launched_.insert(id).second) << "an id is used twice: " << id.text;
    if (!cluster_.reachable.at(task.agent) || random_.Below(20) == 0) {
      return Tell(id, task.agent, TaskState::kDropped);
    }
    cluster_.known[id] = task.agent;
    cluster_.running[id] = {task.agent, task.member};
    // Another live copy may only be one that the scheduler has given up or wants dead.
    for (const auto& [other, running] : cluster_.running) {
      if (other == id || running.member != task.member) continue;
      const auto known = durable_.tasks.find(other);
      const bool ghost = known == durable_.tasks.end() || known->second.kill_wanted ||
                         IsTerminal(known->second.state);
      EXPECT_TRUE(ghost) << "I2: " << other.text << " lives beside " << id.text;
    }
  }

  void KillOne(const KillCall& kill) {
    const auto task = cluster_.running.find(kill.task);
    if (task == cluster_.running.end()) {
      if (!cluster_.unacknowledged.contains(kill.task)) {
        Tell(kill.task, kill.agent, TaskState::kGone);
      }
    } else if (cluster_.reachable.at(task->second.agent) && random_.Below(3) != 0) {
      Stop(kill.task, TaskState::kKilled);
    }
  }

  void Reconcile(const ReconcileCall& call) {
    std::map<TaskId, AgentId> asked(call.tasks.begin(), call.tasks.end());
    if (asked.empty()) asked = cluster_.known;
    for (const auto& [id, agent] : asked) {
      if (random_.Below(5) == 0) continue;  // silence
      const auto running = cluster_.running.find(id);
      if (!cluster_.reachable.at(agent)) {
        Tell(id, agent, TaskState::kUnreachable);
      } else if (running != cluster_.running.end()) {
        Tell(id, agent, TaskState::kRunning);
      } else if (!cluster_.unacknowledged.contains(id)) {
        Tell(id, agent, TaskState::kGone);
      }
    }
  }

  void Connect() {
    connected_ = true;
    life_->Subscribed("f-1", clock_.Now());
  }

  void Restart() {
    life_ = std::make_unique<Lifecycle>(durable_, settings_, random_());
    durable_ = life_->state();  // the incarnation is committed before anything else
    life_->TakeEffects();
    connected_ = false;
    Connect();
  }

  void Check() {
    for (const std::string& name : submitted_) {
      EXPECT_TRUE(durable_.jobs.contains(name)) << "I1: " << name;
    }
  }

  // I11: what waits is launched or has a reason.
  void ExpectReasons(const Sight& sight, const Plan& plan) {
    std::map<std::string, int> waiting;
    for (const WaitingJob& job : sight.jobs) {
      for (const WaitingGroup& group : job.groups) {
        waiting[job.job->name] += static_cast<int>(group.members.size());
      }
    }
    for (const Launch& launch : plan.launches) --waiting[launch.member.job];
    for (const Refusal& refusal : plan.refusals) waiting[refusal.job] -= refusal.members;
    for (const auto& [name, count] : waiting) EXPECT_EQ(count, 0) << "I11: " << name;
  }

  void ExpectAllEnded() {
    for (const std::string& name : submitted_) {
      EXPECT_TRUE(IsEnded(life_->state().jobs.at(name).phase))
          << "I7: " << name << " is " << JobPhaseName(life_->state().jobs.at(name).phase);
    }
    EXPECT_TRUE(cluster_.running.empty()) << cluster_.running.size() << " tasks still run";
  }

  Random random_;
  Settings settings_;
  ManualClock clock_;
  Cluster cluster_;
  std::unique_ptr<Lifecycle> life_;
  State durable_;
  bool connected_ = false;
  std::vector<std::string> submitted_;
  std::set<TaskId> launched_;
};

TEST(Storm, WhatMustHoldHolds) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Storm(seed).Run();
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace kiln::scheduler
