#include "scheduler/lifecycle/volumes.h"

#include <gmock/gmock.h>

#include "scheduler/lifecycle/cycle.h"

namespace kiln::scheduler {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;

constexpr const char* kRole = "research";

Job JobWithVolume(const std::string& name) {
  return {.name = name,
          .role = kRole,
          .groups = {{.name = "g",
                      .volumes = {{"data", GiB(4), std::nullopt}},
                      .work = CommandWork{.shell = "true"}}}};
}

Settings TestSettings() {
  Settings settings;
  settings.roles = {kRole};
  return settings;
}

// A master with agents of 10 GiB of disk: it keeps volumes, carries operations out and tells of
// them until it is acknowledged.
struct Mesos {
  struct Volume {
    AgentId agent;
    Bytes size;
    bool made = false;
    int runs = 0;  // that have written to it
  };
  std::map<AgentId, bool> offers = {{{"a1"}, true}, {{"a2"}, true}};  // whether it does at all
  std::map<std::string, Volume> volumes;
  std::map<TaskId, std::pair<AgentId, std::string>> running;  // with its volume
  std::map<std::string, OperationUpdate> told;                // operations not acknowledged
  std::vector<StatusUpdate> ended;                            // tasks not acknowledged
  std::set<std::string> fail;  // steps that fail the first time, such as "create"
  std::set<AgentId> in_hand;   // of the scheduler
  std::map<AgentId, Resources> declined;
  bool suppressed = false;

  bool InUse(const std::string& id) const {
    return std::any_of(running.begin(), running.end(),
                       [&](const auto& task) { return task.second.second == id; });
  }
  Resources Free(const AgentId& agent, std::vector<OfferedVolume>& offered) const {
    Resources free{.cpus_milli = 4000, .mem = GiB(8), .disk = GiB(10)};
    for (const auto& [task, where] : running) {
      if (where.first == agent) free.cpus_milli -= 1000;
    }
    for (const auto& [id, volume] : volumes) {
      if (volume.agent != agent) continue;
      free.disk = free.disk - volume.size;
      if (InUse(id)) continue;
      offered.push_back({.id = id, .made = volume.made});
      if (volume.made) free += Resources{.volumes = {{id, volume.size}}};
    }
    return free;
  }
  // Gives whether it was done.
  bool Do(const std::string& operation, const AgentId& agent, Volume order) {
    const size_t point = operation.rfind('.');
    const std::string id = operation.substr(0, point);
    const std::string step = operation.substr(point + 1, operation.find('-', point) - point - 1);
    bool done = fail.erase(step) == 0;
    const auto found = volumes.find(id);
    const bool there = found != volumes.end();
    if (step == "reserve") done = done && !there;
    if (step == "create" || step == "unreserve") done = done && there && !found->second.made;
    if (step == "destroy") done = done && there && found->second.made && !InUse(id);
    if (done && step == "reserve") volumes[id] = std::move(order);
    if (done && step == "create") found->second.made = true;
    if (done && step == "destroy") found->second.made = false;
    if (done && step == "unreserve") volumes.erase(found);
    using State = OperationUpdate::State;
    told[operation] = {operation, agent, done ? State::kDone : State::kFailed, "why", "u"};
    return done;
  }
};

// A scheduler that may die at any point of its cycle, with that Mesos.
class World {
 public:
  explicit World(int dies_at = -1, const std::string& fails = "") : dies_at_(dies_at) {
    if (!fails.empty()) mesos.fail.insert(fails);
    Begin({});
  }

  Lifecycle& life() { return *life_; }
  int points() const { return point_; }
  Instant now() const { return clock_.Now(); }

  void Submit(const Job& job) {
    const Status status = life_->Submit(job, 1, now());
    EXPECT_TRUE(status) << status.error().message;
    Turn();
  }

  // What comes, the cycle, and what it does.
  void Turn() {
    clock_.Advance(milliseconds(500));
    for (const auto& [id, update] : std::map(mesos.told)) life_->UpdateOperation(update, now());
    for (const StatusUpdate& update : std::vector(mesos.ended)) life_->Update(update, now());
    for (const auto& [task, where] : mesos.running) {
      life_->Update(
          {.task = task, .agent = where.first, .state = TaskState::kRunning, .by_executor = true},
          now());
    }
    Offer();
    Cycle::Outcome outcome = cycle_->Run(*life_, true, now());
    const bool counts = outcome.effects.Durable();
    if (counts && Dies()) return;  // nothing of it was written
    durable_ = life_->state();
    if (counts && Dies()) return;
    Accept(outcome.effects);
    if (counts && Dies()) return;
    Tell(outcome.effects);
    Answer(outcome.calls);
  }
  void Turns(int count) {
    for (int i = 0; i < count; ++i) Turn();
  }
  void End(const std::string& job, TaskState state) {
    for (const auto& [task, where] : std::map(mesos.running)) {
      if (!task.text.starts_with(job + ".")) continue;
      mesos.ended.push_back(
          {.task = task, .agent = where.first, .state = state, .uuid = "u", .by_executor = true});
      mesos.running.erase(task);
    }
  }
  bool Runs() const { return !mesos.running.empty(); }
  std::vector<Refusal> Why(const std::string& job) { return cycle_->Why(*life_, job, now()); }

  Mesos mesos;

 private:
  void Begin(State state) {
    life_ = std::make_unique<Lifecycle>(std::move(state), TestSettings(), 1);
    durable_ = life_->state();
    book_ = std::make_unique<OfferBook>(OfferSettings{}, std::vector<std::string>{kRole});
    cycle_ = std::make_unique<Cycle>(kPack, *book_);
    mesos.in_hand.clear();
    mesos.declined.clear();
    mesos.suppressed = false;
    life_->Subscribed("f", now());
    durable_.framework_id = "f";
  }

  bool Dies() {
    if (point_++ != dies_at_) return false;
    Begin(durable_);
    return true;
  }

  void Offer() {
    if (mesos.suppressed) return;
    for (const auto& [agent, offers] : mesos.offers) {
      if (!offers || mesos.in_hand.contains(agent)) continue;
      std::vector<OfferedVolume> volumes;
      const Resources free = mesos.Free(agent, volumes);
      const auto declined = mesos.declined.find(agent);
      if (declined != mesos.declined.end() && declined->second.Contains(free)) continue;
      mesos.in_hand.insert(agent);
      book_->Add({.id = {fmt::format("{}:{}", agent.text, ++offers_)},
                  .agent = {.id = agent, .hostname = "h" + agent.text},
                  .role = kRole,
                  .resources = free,
                  .volumes = volumes,
                  .received = now()});
    }
  }
  static AgentId AgentOf(const OfferId& offer) {
    return {offer.text.substr(0, offer.text.find(':'))};
  }

  void Accept(const Effects& effects) {
    for (const RemovalCall& call : effects.removals) {
      const AgentId agent = AgentOf(call.offers[0]);
      mesos.in_hand.erase(agent);
      for (const RemovalCall::One& one : call.volumes) {
        if (!one.destroy.empty()) mesos.Do(one.destroy, agent, {});
        if (!one.unreserve.empty()) mesos.Do(one.unreserve, agent, {});
      }
    }
    for (const LaunchCall& start : effects.starts) {
      const Task& task = durable_.tasks.at(start.task);
      EXPECT_EQ(AgentOf(start.offers[0]), task.agent);
      mesos.in_hand.erase(task.agent);
      for (const std::string& id : start.volumes) {
        const VolumeRecord& volume = durable_.volumes.at(id);
        mesos.Do(OperationId(volume, VolumeStep::kReserve), task.agent, {task.agent, volume.size});
        mesos.Do(OperationId(volume, VolumeStep::kCreate), task.agent, {});
      }
      Launch(task);
    }
  }
  void Launch(const Task& task) {
    for (const NamedVolume& name : task.resources.volumes) {
      const auto volume = mesos.volumes.find(name.id);
      if (volume != mesos.volumes.end() && volume->second.made && !mesos.InUse(name.id)) {
        // I2, and nobody begins again with empty data.
        EXPECT_EQ(volume->second.runs++, runs_[task.member]++);
        mesos.running[task.id] = {task.agent, name.id};
        return;
      }
    }
    mesos.ended.push_back({.task = task.id,
                           .agent = task.agent,
                           .state = TaskState::kError,
                           .reason = "TASK_INVALID"});
  }

  void Tell(const Effects& effects) {
    for (const Acknowledgement& one : effects.acknowledgements) {
      std::erase_if(mesos.ended, [&](const auto& update) { return update.task == one.task; });
    }
    std::erase_if(mesos.ended, [&](const StatusUpdate& update) {
      return update.uuid.empty() && IsTerminal(durable_.tasks.at(update.task).state);
    });
    for (const auto& one : effects.operation_acknowledgements) mesos.told.erase(one.operation);
    for (const KillCall& kill : effects.kills) {
      const auto task = mesos.running.find(kill.task);
      if (task != mesos.running.end())
        End(durable_.tasks.at(kill.task).member.job, TaskState::kKilled);
    }
    for (const ReconcileCall& call : effects.reconciles) {
      for (const auto& [task, agent] : call.tasks) {
        if (mesos.running.contains(task)) continue;
        const bool waits = std::any_of(mesos.ended.begin(), mesos.ended.end(),
                                       [&](const auto& update) { return update.task == task; });
        if (!waits)
          mesos.ended.push_back({.task = task, .agent = agent, .state = TaskState::kLost});
      }
    }
    for (const auto& [operation, agent] : effects.operations_asked) {
      const auto known = mesos.told.find(operation);
      OperationUpdate answer{operation, agent, OperationUpdate::State::kFailed, "unknown", ""};
      if (known != mesos.told.end()) answer.state = known->second.state;
      life_->UpdateOperation(answer, now());
    }
  }

  void Answer(const OfferCalls& calls) {
    for (const DeclineCall& call : calls.declines) {
      for (const OfferId& offer : call.offers) {
        std::vector<OfferedVolume> volumes;
        mesos.declined[AgentOf(offer)] = mesos.Free(AgentOf(offer), volumes);
        mesos.in_hand.erase(AgentOf(offer));
      }
    }
    if (!calls.suppress.empty()) mesos.suppressed = true;
    if (calls.revive.empty()) return;
    mesos.suppressed = false;
    mesos.declined.clear();
  }

  ManualClock clock_;
  std::unique_ptr<OfferBook> book_;
  std::unique_ptr<Lifecycle> life_;
  std::unique_ptr<Cycle> cycle_;
  State durable_;
  int dies_at_;
  int point_ = 0;
  int offers_ = 0;
  std::map<MemberId, int> runs_;
};

// A job whose member fails once runs on one volume, and nothing stays of that; wherever the
// scheduler dies, and whichever step fails the first time. Gives how many points there were to die.
int LiveThrough(int dies_at, const std::string& fails) {
  SCOPED_TRACE(fmt::format("dies at {}, {} fails", dies_at, fails));
  World world(dies_at, fails);
  world.Submit(JobWithVolume("j"));
  if (!world.life().state().jobs.contains("j")) world.Submit(JobWithVolume("j"));
  for (const TaskState end : {TaskState::kFailed, TaskState::kFinished}) {
    for (int turn = 0; turn < 300 && !world.Runs(); ++turn) {
      world.Turn();
      EXPECT_LE(world.mesos.volumes.size(), 2U);
    }
    EXPECT_THAT(world.mesos.volumes, SizeIs(1));
    world.Turns(2);
    EXPECT_TRUE(world.Runs());
    world.End("j", end);
  }
  world.Turns(60);
  EXPECT_EQ(world.life().state().jobs.at("j").phase, JobPhase::kSucceeded);
  EXPECT_THAT(world.mesos.volumes, IsEmpty());
  EXPECT_THAT(world.mesos.told, IsEmpty());
  EXPECT_EQ(world.life().state().volumes, (std::map<std::string, VolumeRecord>{}));
  EXPECT_TRUE(world.mesos.suppressed);
  return world.points();
}

TEST(Volumes, AttemptsRunOnOneVolumeWhereverTheSchedulerDies) {
  for (const std::string fails : {"", "reserve", "create", "destroy", "unreserve"}) {
    const int points = LiveThrough(-1, fails);
    EXPECT_GT(points, 15);
    for (int point = 0; point < points && !testing::Test::HasFailure(); ++point) {
      LiveThrough(point, fails);
    }
  }
}

TEST(Volumes, AMemberWaitsForTheAgentThatHasItsData) {
  World world;
  world.Submit(JobWithVolume("j"));
  world.Turns(3);
  ASSERT_THAT(world.mesos.volumes, SizeIs(1));
  const auto [id, volume] = *world.mesos.volumes.begin();
  EXPECT_THAT(id, StartsWith("kiln.f.j.g.0."));
  world.mesos.offers[volume.agent] = false;
  world.End("j", TaskState::kFailed);
  world.Turns(10);
  EXPECT_FALSE(world.Runs());
  const std::vector<Refusal> why = world.Why("j");
  ASSERT_THAT(why, SizeIs(1));
  EXPECT_EQ(why[0].blocker, Blocker::kVolume);
  EXPECT_THAT(why[0].reason,
              StartsWith(fmt::format("waits for agent h{}, which has held data since 1970",
                                     volume.agent.text)));
  world.mesos.offers[volume.agent] = true;
  world.Turns(5);
  EXPECT_TRUE(world.Runs());
}

TEST(Volumes, ARemovalThatFailsIsTriedAgainAtOnceAndThenMoreAndMoreRarely) {
  const Settings settings = TestSettings();
  State state{.framework_id = "f"};
  Effects effects;
  Volumes volumes(settings, state, effects);
  const Offer offer{.id = {"o"}, .role = kRole, .volumes = {{.id = "kiln.f.lost"}}};
  Instant now;
  for (const int rests : {0, 0, 1, 2, 4}) {
    const Duration rest = rests * settings.seek_volumes_min;
    if (rest.count() > 0) {
      EXPECT_FALSE(volumes.Offered(offer, now + rest - milliseconds(1)));
      EXPECT_THAT(volumes.Seek(now + rest - milliseconds(1)), IsEmpty());
    }
    now = now + rest;
    volumes.Seek(now);
    const auto call = volumes.Offered(offer, now);
    ASSERT_TRUE(call) << ToSeconds(rest);
    for (const std::string& step : {call->volumes[0].destroy, call->volumes[0].unreserve}) {
      volumes.Told({.operation = step, .state = OperationUpdate::State::kFailed}, now);
    }
  }
}

TEST(Volumes, WhoIsCutOffIsNotReplacedElsewhere) {
  World world;
  world.Submit(JobWithVolume("j"));
  world.Turns(3);
  ASSERT_TRUE(world.Runs());
  const auto [task, where] = *world.mesos.running.begin();
  world.mesos.running.clear();
  world.mesos.offers[where.first] = false;
  world.life().Update({.task = task, .agent = where.first, .state = TaskState::kUnreachable},
                      world.now());
  world.Turns(300);
  EXPECT_FALSE(world.Runs());
  const std::vector<Refusal> why = world.Why("j");
  ASSERT_THAT(why, SizeIs(1));
  EXPECT_EQ(why[0].blocker, Blocker::kVolume);
  EXPECT_THAT(why[0].reason, StartsWith("is cut off with agent h"));
}

TEST(Volumes, WhatGoesWithItsAgentBeginsAgainElsewhere) {
  World world;
  world.Submit(JobWithVolume("j"));
  world.Turns(3);
  const auto [id, volume] = *world.mesos.volumes.begin();
  world.mesos.offers[volume.agent] = false;
  world.mesos.volumes.clear();
  const TaskId task = world.mesos.running.begin()->first;
  world.mesos.running.clear();
  world.life().UpdateOperation(
      {id + ".create", volume.agent, OperationUpdate::State::kGone, "", ""}, world.now());
  EXPECT_THAT(world.life().state().volumes, IsEmpty());
  world.life().Update({.task = task, .agent = volume.agent, .state = TaskState::kGoneByOperator},
                      world.now());
  world.life().TakeEffects();
  EXPECT_THAT(world.life().See(world.now()).jobs, SizeIs(1));
}

TEST(Volumes, AMachineWhoseAgentBeginsAnewHasItsVolumesStill) {
  World world;
  world.Submit(JobWithVolume("j"));
  world.Turns(3);
  const auto [id, volume] = *world.mesos.volumes.begin();
  const TaskId task = world.mesos.running.begin()->first;
  world.mesos.running.clear();
  world.mesos.offers = {{{"new"}, true}};
  world.mesos.volumes.at(id).agent = {"new"};
  world.mesos.suppressed = false;
  world.life().Update({.task = task, .agent = volume.agent, .state = TaskState::kGone},
                      world.now());
  world.Turns(3);
  EXPECT_TRUE(world.Runs());
  world.life().UpdateOperation(
      {id + ".create", volume.agent, OperationUpdate::State::kGone, "", ""}, world.now());
  EXPECT_EQ(world.life().state().volumes.at(id).agent, AgentId{"new"});
  world.End("j", TaskState::kFinished);
  world.Turns(30);
  EXPECT_THAT(world.mesos.volumes, IsEmpty());
}

TEST(Volumes, WhatAFormerAgentWasToRemoveTheNextOneIsToldToRemove) {
  const Settings settings = TestSettings();
  State state{.framework_id = "f"};
  Effects effects;
  Volumes volumes(settings, state, effects);
  Offer offer{.id = {"o"}, .agent = {.id = {"a"}}, .volumes = {{.id = "kiln.f.lost"}}};
  ASSERT_TRUE(volumes.Offered(offer, {}));
  EXPECT_FALSE(volumes.Offered(offer, {}));
  offer.agent.id = {"b"};
  const auto call = volumes.Offered(offer, {});
  ASSERT_TRUE(call);
  EXPECT_EQ(call->volumes[0].destroy, "kiln.f.lost.destroy-2");
  EXPECT_EQ(state.volumes.at("kiln.f.lost").agent, AgentId{"b"});
}

TEST(Volumes, AVolumeThatNobodyKnowsIsRemovedAndThatOfAnotherFrameworkIsNot) {
  World world;
  world.mesos.volumes["kiln.f.old.g.0.1-1"] = {{"a1"}, GiB(1), true, 0};
  world.mesos.volumes["kiln.other.old.g.0.1-1"] = {{"a1"}, GiB(1), true, 0};
  world.mesos.volumes["kiln.f.half.g.0.1-1"] = {{"a2"}, GiB(1), false, 0};
  world.Turns(10);
  ASSERT_THAT(world.mesos.volumes, SizeIs(1));
  EXPECT_EQ(world.mesos.volumes.begin()->first, "kiln.other.old.g.0.1-1");
  EXPECT_THAT(world.life().state().volumes, IsEmpty());
}

TEST(Volumes, AJobThatIsKilledLeavesNone) {
  World world;
  world.Submit(JobWithVolume("j"));
  world.Turns(3);
  ASSERT_TRUE(world.life().Kill("j", world.now()));
  world.Turns(30);
  EXPECT_EQ(world.life().state().jobs.at("j").phase, JobPhase::kKilled);
  EXPECT_THAT(world.mesos.volumes, IsEmpty());
}

TEST(Volumes, AnEndOfAllWaitsUntilTheyAreGivenBackForAMinute) {
  for (const bool agent_answers : {true, false}) {
    World world;
    world.Submit(JobWithVolume("j"));
    world.Turns(3);
    EXPECT_EQ(
        world.life().EndAll(world.now()),
        Fail(ErrorCode::kUnavailable, "tasks left: 1, volumes left: 1; expected none of them"));
    if (!agent_answers) world.mesos.offers = {};
    const Instant begun = world.now();
    while (!world.life().EndAll(world.now())) world.Turn();
    EXPECT_EQ(world.mesos.volumes.empty(), agent_answers);
    EXPECT_EQ(world.now() - begun < std::chrono::minutes(1), agent_answers);
  }
}

TEST(Volumes, ARoleIsNeededThatAgentsCanKeepDiskFor) {
  Lifecycle life({}, {}, 1);
  Job job = JobWithVolume("j");
  job.role = "*";
  const Status status = life.Submit(job, 1, {});
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().field, "groups[0].volumes");
  EXPECT_EQ(status.error().message,
            "volumes with offers to role *: expected a role of kiln-scheduler --role, Mesos keeps "
            "disk for roles alone");
}

}  // namespace
}  // namespace kiln::scheduler
