#include "scheduler/lifecycle/quarantine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "model/units.h"

namespace kiln::scheduler {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

// Runs scripts of "JOB AGENT[/GPU] OUTCOME" and "wait TIME", joined by "; ". Jobs alike have the
// same name up to a point.
class World {
 public:
  World() { See(12); }

  void See(int agents) {
    for (int i = 0; i < agents; ++i) q_->AgentSeen({std::string(1, static_cast<char>('a' + i))});
  }
  void Run(const std::string& script) {
    std::stringstream stream(script);
    for (std::string step; std::getline(stream, step, ';');) {
      std::stringstream words(step);
      std::string first, second, third;
      words >> first >> second >> third;
      if (first == "wait") {
        Wait(ParseDuration(second).value());
      } else {
        End(Start(first, second), third);
      }
    }
  }
  Task Start(const std::string& job, const std::string& place) {
    const size_t slash = place.find('/');
    Task task{.id = {job + "-" + std::to_string(++count_)},
              .member = {job, "g", 0},
              .agent = {place.substr(0, slash)},
              .launched = clock_.Now()};
    if (slash != std::string::npos) task.resources.gpu_ids = {{place.substr(slash + 1)}};
    q_->Launched(task);
    state_.tasks[task.id] = task;
    return task;
  }
  void End(Task task, const std::string& how) {
    task.state = TaskState::kFailed;
    task.charge = Charge::kJob;
    if (how == "late") Wait(minutes(1));
    if (how == "ok") task.state = TaskState::kFinished;
    if (how == "died") task.reason = "EXECUTOR_TERMINATED";
    if (how == "oom") task.reason = "CONTAINER_LIMITATION_MEMORY";
    if (how == "killed") task.kill_wanted = true;
    if (how == "lost") task.state = TaskState::kLost;
    task.ended = clock_.Now();
    state_.tasks[task.id] = task;
    const std::string work = task.member.job.substr(0, task.member.job.find('.'));
    q_->Ended(task, std::hash<std::string>()(work), clock_.Now());
  }
  void Wait(Duration time) {
    clock_.Advance(time);
    q_->Tick(clock_.Now());
  }
  void Restart() { q_ = std::make_unique<Quarantine>(settings_, state_, effects_); }

  // All that is not healthy.
  std::vector<std::string> Ill() const {
    std::vector<std::string> texts;
    for (const auto& [suspect, suspicion] : state_.suspicions) {
      if (suspicion.standing != Standing::kHealthy) texts.push_back(ToText(suspect, suspicion));
    }
    return texts;
  }
  std::vector<std::string> Told() {
    std::vector<std::string> texts;
    for (const Notice& notice : effects_.notices) {
      texts.push_back(notice.name + " " + notice.state + " " + notice.message);
    }
    effects_.notices.clear();
    return texts;
  }
  Quarantine& q() { return *q_; }
  Instant now() const { return clock_.Now(); }
  State& state() { return state_; }
  QuarantineSettings& settings() { return settings_; }

 private:
  QuarantineSettings settings_;
  State state_;
  Effects effects_;
  ManualClock clock_;  // starts at 00:16:40
  int count_ = 0;
  std::unique_ptr<Quarantine> q_ = std::make_unique<Quarantine>(settings_, state_, effects_);
};

constexpr const char* kThree = "x a fail; y a fail; z a fail";
constexpr const char* kOut =
    "agent a is quarantined until 1970-01-01T00:18:40Z after 3 failures of 3 jobs";

TEST(Quarantine, EvidenceIsWhatUnlikeJobsFailAtOnOneAgent) {
  struct Case {
    const char* script;
    std::vector<std::string> ill;
  };
  const Case cases[] = {
      {"x a fail; y a fail", {}},
      {"x a fail; y a fail; z a fail", {kOut}},
      {"x a died; y a died; z a died", {kOut}},
      // One job is one witness, however often it fails, and so are jobs that do the same.
      {"x a fail; x a fail; x a fail; x a fail; x a fail", {}},
      {"x.1 a fail; x.2 a fail; x.3 a fail; x.4 a fail", {}},
      {"x a fail; x a fail; y a fail; z a fail",
       {"agent a is quarantined until 1970-01-01T00:18:40Z after 4 failures of 3 jobs"}},
      // On one agent.
      {"x a fail; y b fail; z c fail", {}},
      // Whoever ran for a while weighs half.
      {"x a late; y a late; z a late; u a late; v a late", {}},
      {"x a late; y a late; z a late; u a late; v a late; w a late",
       {"agent a is quarantined until 1970-01-01T00:24:40Z after 6 failures of 6 jobs"}},
      // What is the work's own, an operator's or the network's doing speaks of no agent.
      {"x a oom; y a oom; z a oom; u a oom", {}},
      {"x a killed; y a killed; z a killed; u a killed", {}},
      {"x a lost; y a lost; z a lost; u a lost", {}},
      // Within ten minutes.
      {"x a fail; y a fail; wait 10min; z a fail", {}},
      // A success takes one job's failures back: its own, else the oldest.
      {"x a fail; y a fail; u a ok; z a fail", {}},
      {"x a fail; y a fail; x a ok; z a fail; v a fail",
       {"agent a is quarantined until 1970-01-01T00:18:40Z after 3 failures of 3 jobs"}},
  };
  for (const Case& one : cases) {
    World world;
    world.Run(one.script);
    EXPECT_EQ(world.Ill(), one.ill) << one.script;
  }
}

TEST(Quarantine, AJobThatFailsEverywhereIsItsOwnFault) {
  struct Case {
    const char* script;
    std::vector<std::string> ill;
  };
  const Case cases[] = {
      // Its failures count neither after nor before it is known.
      {"x a fail; x b fail; x c fail; y c fail; z c fail; u c oom", {}},
      {"y a fail; z a fail; x b fail; x c fail; x a fail", {}},
      {"x a fail; y a fail; z a fail; x b fail", {kOut}},
      {"x a fail; y a fail; z a fail; x b fail; x c fail", {}},
  };
  for (const Case& one : cases) {
    World world;
    world.Run(one.script);
    EXPECT_EQ(world.Ill(), one.ill) << one.script;
  }
  World world;
  world.Run("x a fail; y a fail; z a fail; x b fail; x c fail");
  EXPECT_THAT(world.Told(),
              ElementsAre("a QUARANTINED " + std::string(kOut),
                          "a HEALTHY agent a is healthy: what failed on it fails elsewhere too"));
}

TEST(Quarantine, AnOnlyAgentIsNeverToBlame) {
  World world;
  for (const char* agent : {"b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"}) {
    world.q().AgentLost({agent});
  }
  world.Run("x a fail; y a fail; z a fail; u a fail; v a fail");
  EXPECT_THAT(world.Ill(), IsEmpty());
}

TEST(Quarantine, WhenMuchFailsAtOnceAQuarterOfTheAgentsIsOutAtMost) {
  World world;
  for (const char* agent : {"a", "b", "c", "d", "e"}) {
    for (const char* job : {"1", "2", "3"}) {
      world.Run(fmt::format("{}{} {} fail", job, agent, agent));
    }
  }
  EXPECT_EQ(world.Ill().size(), 3);
}

TEST(Quarantine, AProbeBringsAnAgentBackOrDoublesItsTime) {
  World world;
  world.Run(kThree);
  world.Run("wait 119s");
  EXPECT_EQ(world.Ill(), std::vector<std::string>{kOut});
  EXPECT_EQ(world.q().Next(), world.now() + seconds(1));
  world.Run("wait 1s");
  const std::string open =
      "agent a is on probation: one small member at a time, of a job with retries";
  EXPECT_THAT(world.Ill(), ElementsAre(open));
  EXPECT_EQ(world.q().GetBars(), (Bars{{{"a"}, {open, true, {}}}}));

  world.Told();
  Task probe = world.Start("p", "a");
  const std::string probed = "agent a is on probation: task p-4 tries it";
  EXPECT_EQ(world.q().GetBars(), (Bars{{{"a"}, {probed, false, {}}}}));
  world.End(probe, "lost");
  EXPECT_THAT(world.Ill(), ElementsAre(open)) << "tells nothing";
  world.Run("p a fail");
  const std::string twice =
      "agent a is quarantined until 1970-01-01T00:22:40Z after 1 failure of 1 job";
  EXPECT_THAT(world.Ill(), ElementsAre(twice));
  world.Run("wait 4min; p a ok");
  EXPECT_THAT(world.Ill(), IsEmpty());
  EXPECT_THAT(
      world.Told(),
      ElementsAre("a PROBED " + probed, "a PROBED agent a is on probation: task p-5 tries it",
                  "a QUARANTINED " + twice, "a PROBED agent a is on probation: task p-6 tries it",
                  "a HEALTHY agent a is healthy: task p-6 has done well on it"));
  // It is remembered for a while.
  world.Run(kThree);
  EXPECT_THAT(world.Ill(), ElementsAre("agent a is quarantined until 1970-01-01T00:30:40Z after "
                                       "3 failures of 3 jobs"));
  world.Run("wait 8min; p a ok; wait 4h");
  EXPECT_THAT(world.state().suspicions, IsEmpty());
}

TEST(Quarantine, AProbeThatRunsForAMinuteHasDoneWell) {
  World world;
  world.Run(kThree);
  world.Run("wait 2min");
  const Task probe = world.Start("p", "a");
  EXPECT_EQ(world.q().Next(), std::nullopt);
  world.state().tasks.at(probe.id).started = world.now();
  world.Run("wait 59s");
  EXPECT_THAT(world.Ill(), testing::SizeIs(1));
  world.Run("wait 1s");
  EXPECT_THAT(world.Ill(), IsEmpty());
}

TEST(Quarantine, AProbeThatTellsNothingLeavesTimeForAnother) {
  World world;
  world.Run(kThree);
  world.Run("wait 2min; wait 100s");
  const Task probe = world.Start("p", "a");
  world.Run("wait 30s");
  world.End(probe, "lost");
  world.Run("wait 119s");
  EXPECT_THAT(world.Ill(), ElementsAre(testing::HasSubstr("probation")));
  world.Run("wait 1s");
  EXPECT_THAT(world.Ill(), IsEmpty());
}

// It may be that only a gang waits for it.
TEST(Quarantine, AProbationThatNothingTriesLastsAsLongAsTheQuarantine) {
  World world;
  world.Run(kThree);
  world.Run("wait 2min; wait 119s");
  EXPECT_THAT(world.Ill(), ElementsAre(testing::HasSubstr("probation")));
  EXPECT_EQ(world.q().Next(), world.now() + seconds(1));
  world.Run("wait 1s");
  EXPECT_THAT(world.Ill(), IsEmpty());
  world.Run(kThree);
  world.Run("wait 4min; wait 239s");
  EXPECT_THAT(world.Ill(), ElementsAre(testing::HasSubstr("probation")));
  world.Run("wait 1s");
  EXPECT_THAT(world.Ill(), IsEmpty());
}

TEST(Quarantine, AProbeThatFailsEverywhereIsNoProbe) {
  World world;
  world.Run(kThree);
  world.Run("wait 2min; p b fail; p c fail; p a fail");
  EXPECT_THAT(world.Ill(), ElementsAre("agent a is on probation: one small member at a time, of a "
                                       "job with retries"));
  // Also when that is found out later.
  world.Run("q a fail");
  EXPECT_THAT(world.Ill(), ElementsAre(testing::HasSubstr("quarantined")));
  world.Run("q b fail; q c fail");
  EXPECT_THAT(world.Ill(), ElementsAre(testing::HasSubstr("probation")));
}

TEST(Quarantine, ASickDeviceDoesNotCostItsAgent) {
  World world;
  world.Run("x a/g0 fail; y a/g0 fail; z a/g0 fail");
  const std::string out =
      "gpu g0 of agent a is quarantined until 1970-01-01T00:18:40Z after 3 failures of 3 jobs";
  EXPECT_THAT(world.Ill(), ElementsAre(out));
  EXPECT_EQ(world.q().GetBars(), (Bars{{{"a"}, {"", false, {{{"g0"}, out}}}}}));
  EXPECT_FALSE(world.state().suspicions.contains({{"a"}, {}}) &&
               !world.state().suspicions.at({{"a"}, {}}).strikes.empty());
  world.Run("wait 2min");
  EXPECT_THAT(world.q().GetBars(), IsEmpty()) << "whoever gets it is its probe";
  world.Run("u a/g0 ok");
  EXPECT_THAT(world.Ill(), IsEmpty());
  // Devices one after the other speak of the agent.
  world.Run("x b/g0 fail; y b/g1 fail; z b/g2 fail");
  EXPECT_THAT(world.Ill(), ElementsAre(testing::StartsWith("agent b is quarantined")));
}

TEST(Quarantine, AReportOfASickDeviceIsEnough) {
  World world;
  const Task task = world.Start("x", "a/g0");
  world.q().ReportedSick(task, {{"g0"}, {"somebody else's"}}, world.now());
  EXPECT_THAT(world.Ill(),
              ElementsAre("gpu g0 of agent a is quarantined until 1970-01-01T00:18:40Z, as task "
                          "x-1 reports it sick"));
  world.End(task, "fail");
  EXPECT_THAT(world.Ill(), testing::SizeIs(1));
  EXPECT_FALSE(world.state().suspicions.contains({{"a"}, {}})) << "the device has the blame";
}

TEST(Quarantine, AnOperatorSetsAndReleases) {
  World world;
  const Suspect agent{{"a"}, {}};
  EXPECT_EQ(world.q().Release(agent),
            Fail(ErrorCode::kFailedPrecondition, "agent a is healthy: expected one in quarantine"));
  world.q().Set(agent, "host1", std::nullopt, "new disk", world.now());
  EXPECT_THAT(world.Ill(), ElementsAre("agent host1 is quarantined until it is released, as an "
                                       "operator wants it: new disk"));
  world.Run("wait 100h");
  EXPECT_THAT(world.Ill(), testing::SizeIs(1));
  EXPECT_TRUE(world.q().Release(agent));
  world.q().Set(agent, "host1", minutes(5), "", world.now());
  world.Told();
  world.Run("wait 5min");
  EXPECT_THAT(world.Ill(), ElementsAre(testing::StartsWith("agent host1 is on probation")));
  EXPECT_TRUE(world.q().Release(agent));
  EXPECT_THAT(world.Told(), ElementsAre("a HEALTHY agent host1 is released by an operator"));
  EXPECT_THAT(world.state().suspicions, IsEmpty());
}

TEST(Quarantine, WhatWasCountedOutlivesARestart) {
  World world;
  world.Run("x a fail; y a fail");
  world.Restart();
  world.See(12);
  world.Run("z a fail; x b fail");
  EXPECT_EQ(world.Ill(), std::vector<std::string>{kOut});
  world.Restart();
  world.See(12);
  world.Run("x c fail");
  EXPECT_THAT(world.Ill(), IsEmpty()) << "x has failed on a, b and c";
}

TEST(Quarantine, NothingIsJudgedWithoutATime) {
  World world;
  world.settings().min = {};
  world.Run(kThree);
  EXPECT_THAT(world.Ill(), IsEmpty());
}

TEST(Likeness, IsOfWhatTheWorkDoes) {
  const Group a{.name = "a", .work = CommandWork{.shell = "python train.py"}};
  Group b{
      .name = "b", .count = 7, .cpus_milli = 3, .work = CommandWork{.shell = "python train.py"}};
  EXPECT_EQ(LikenessOf(a), LikenessOf(b));
  b.work = CommandWork{.argv = {"python", "train.py"}};
  EXPECT_NE(LikenessOf(a), LikenessOf(b));
  const Group train{.work = TrainWork{.data = {.uri = "/x.csv"}}};
  EXPECT_EQ(LikenessOf(train),
            LikenessOf({.work = TrainWork{.data = {.uri = "/x.csv"}, .trees = 9}}));
  EXPECT_NE(LikenessOf(train), LikenessOf({.work = TrainWork{.data = {.uri = "/y.csv"}}}));
}

}  // namespace
}  // namespace kiln::scheduler
