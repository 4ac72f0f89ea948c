#include "local/cluster/master.h"

#include <gmock/gmock.h>

#include "local/cluster/master_fixture.h"

namespace kiln::local {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

TEST_F(MasterTest, ASubscriptionIsOfferedWhatIsFreeAtOnce) {
  EXPECT_THAT(AddAgent(), ElementsAre("agent Registered"));
  EXPECT_THAT(Subscribe(), ElementsAre("SUBSCRIBED", "OFFERS cpus:4; mem:4096"));
  EXPECT_TRUE(id_.ends_with("-0000"));
  EXPECT_THAT(Wait(seconds(3)), IsEmpty());
}

TEST_F(MasterTest, ATaskLivesFromAcceptToAcknowledgement) {
  AddAgent();
  Subscribe();
  EXPECT_THAT(Launch("t"), ElementsAre("202", "agent RunTask t"));
  EXPECT_THAT(Wait(seconds(1)), ElementsAre("OFFERS cpus:3; mem:4096"));
  EXPECT_THAT(Report("t", mesos::v1::TASK_RUNNING), ElementsAre("UPDATE t TASK_RUNNING"));
  EXPECT_THAT(Report("t", mesos::v1::TASK_FINISHED), ElementsAre("UPDATE t TASK_FINISHED"));
  // Its resources are free before anybody acknowledges; its id is not.
  EXPECT_THAT(Wait(seconds(1)), ElementsAre("OFFERS cpus:1"));
  EXPECT_THAT(Launch("t"), ElementsAre("202", "UPDATE t TASK_ERROR"));
  EXPECT_EQ(status_.message(), "Task has duplicate ID: t");
}

TEST_F(MasterTest, AnAcknowledgedEndForgetsTheTask) {
  AddAgent();
  Subscribe();
  Launch("t");
  Report("t", mesos::v1::TASK_FINISHED);
  EXPECT_THAT(Reconcile("t"), ElementsAre("202", "UPDATE t TASK_FINISHED"));
  Report("t", mesos::v1::TASK_FINISHED);
  EXPECT_THAT(Acknowledge(), ElementsAre("202", "agent Acknowledgement"));
  EXPECT_THAT(Reconcile("t", agent_id_), ElementsAre("202", "UPDATE t TASK_GONE"));
  EXPECT_THAT(Reconcile(), ElementsAre("202"));
}

TEST_F(MasterTest, AnOfferIsGoodForOneAccept) {
  AddAgent();
  Subscribe();
  Launch("t1");
  EXPECT_THAT(Launch("t2"), ElementsAre("202", "UPDATE t2 TASK_DROPPED"));
  EXPECT_EQ(status_.reason(), mesos::v1::TaskStatus::REASON_INVALID_OFFERS);
}

TEST_F(MasterTest, CallsAreCheckedInTheirOrder) {
  SchedulerCall input;
  EXPECT_THAT(Do(input), ElementsAre("400 Failed to validate scheduler::Call: Expecting 'type' to "
                                     "be present"));
  input.call.set_type(Call::REVIVE);
  input.call.mutable_framework_id()->set_value("nobody");
  EXPECT_THAT(Do(input), ElementsAre("400 Framework cannot be found"));
  Subscribe();
  input.call.mutable_framework_id()->set_value(id_);
  EXPECT_THAT(Do(input), ElementsAre("400 All non-subscribe calls should include the "
                                     "'Mesos-Stream-Id' header"));
  input.stream_id = stream_;
  EXPECT_THAT(Do(input), ElementsAre("202"));
  Do(SchedulerStreamClosed{stream_});
  EXPECT_THAT(Do(input), ElementsAre("403 Framework is not subscribed"));
}

TEST_F(MasterTest, ASecondSubscriptionTakesOver) {
  AddAgent();
  Subscribe();
  Launch("t");
  Wait(seconds(1));
  const std::string id = id_;
  EXPECT_THAT(Subscribe([&](FrameworkInfo& info) { info.mutable_id()->set_value(id); }),
              ElementsAre("ERROR Framework failed over", "close", "SUBSCRIBED"));
  EXPECT_THAT(Wait(seconds(1)), ElementsAre("OFFERS cpus:3; mem:4096"));
  EXPECT_THAT(Reconcile(), ElementsAre("202", "UPDATE t TASK_STAGING"));
}

TEST_F(MasterTest, WhoWatchesSeesEachNewStateAndEachCheck) {
  AddAgent();
  Subscribe();
  Watch();
  Launch("t");
  EXPECT_THAT(Published(), ElementsAre("TASK_ADDED"));
  Report("t", mesos::v1::TASK_RUNNING);
  EXPECT_THAT(Published(), ElementsAre("TASK_UPDATED"));
  Report("t", mesos::v1::TASK_RUNNING);
  EXPECT_THAT(Published(), IsEmpty());
  Report("t", mesos::v1::TASK_RUNNING,
         mesos::v1::TaskStatus::REASON_TASK_HEALTH_CHECK_STATUS_UPDATED);
  Report("t", mesos::v1::TASK_RUNNING, mesos::v1::TaskStatus::REASON_TASK_CHECK_STATUS_UPDATED);
  EXPECT_THAT(Published(), ElementsAre("TASK_UPDATED", "TASK_UPDATED"));
  Subscribe([id = id_](FrameworkInfo& info) { info.mutable_id()->set_value(id); });
  EXPECT_THAT(Published(), ElementsAre("FRAMEWORK_UPDATED"));
}

TEST_F(MasterTest, WhoWatchesANewMasterSeesWhatAgentsBringBack) {
  AddAgent();
  master_ = std::make_unique<Master>(options_, Random(2), saved_, now_);
  Watch();
  ReregisterAgent back;
  back.agent.mutable_id()->set_value(agent_id_);
  back.frameworks.emplace_back().mutable_id()->set_value("f");
  back.tasks.emplace_back().mutable_framework_id()->set_value("f");
  Do(FromAgent{kPid, back});
  EXPECT_THAT(Published(), ElementsAre("FRAMEWORK_ADDED", "TASK_ADDED", "AGENT_ADDED"));
}

TEST_F(MasterTest, AFrameworkThatStaysAwayIsRemoved) {
  AddAgent();
  Subscribe();
  Launch("t");
  EXPECT_THAT(Do(SchedulerStreamClosed{stream_}), IsEmpty());
  EXPECT_THAT(Wait(milliseconds(59'999)), IsEmpty());
  EXPECT_THAT(Wait(milliseconds(1)), ElementsAre("agent ShutdownFramework"));
  const std::string id = id_;
  EXPECT_THAT(Subscribe([&](FrameworkInfo& info) { info.mutable_id()->set_value(id); }),
              ElementsAre("ERROR Framework has been removed", "close"));
}

TEST_F(MasterTest, TheLongestFailoverTimeoutIsNoShortOne) {
  AddAgent();
  Subscribe([](FrameworkInfo& info) { info.set_failover_timeout(9.2e9); });
  Launch("t");
  EXPECT_THAT(Do(SchedulerStreamClosed{stream_}), IsEmpty());
  EXPECT_THAT(Wait(seconds(1000)), IsEmpty());
}

TEST_F(MasterTest, ACutLinkRescindsAndALongSilenceMakesUnreachable) {
  AddAgent();
  Subscribe();
  Launch("t");
  Wait(seconds(1));
  Do(FromAgent{kPid, Pong{}});
  EXPECT_THAT(Do(AgentLinkCut{kPid}), ElementsAre("RESCIND"));
  EXPECT_THAT(Reconcile("t"), ElementsAre("202", "UPDATE t TASK_STAGING"));
  const auto lines = Wait(seconds(90));
  EXPECT_THAT(lines, ElementsAre("UPDATE t TASK_UNREACHABLE", "FAILURE"));
  EXPECT_THAT(Reconcile("t", agent_id_), ElementsAre("202", "UPDATE t TASK_UNREACHABLE"));
  EXPECT_THAT(Reconcile("t"), ElementsAre("202", "UPDATE t TASK_UNKNOWN"));
  EXPECT_EQ(saved_.unreachable.size(), 1u);

  ReregisterAgent back;
  back.agent.set_hostname("agent1.test");
  back.agent.mutable_id()->set_value(agent_id_);
  mesos::v1::Task task;
  task.set_name("t");
  task.mutable_task_id()->set_value("t");
  task.mutable_framework_id()->set_value(id_);
  task.mutable_agent_id()->set_value(agent_id_);
  task.set_state(mesos::v1::TASK_RUNNING);
  back.tasks.push_back(task);
  EXPECT_THAT(Do(FromAgent{kPid, back}),
              ElementsAre("UPDATE t TASK_RUNNING", "agent Reregistered"));
}

TEST_F(MasterTest, WithoutCheckpointsACutLinkLosesTheTasks) {
  AddAgent();
  Subscribe([](FrameworkInfo& info) { info.set_checkpoint(false); });
  Launch("t");
  EXPECT_THAT(Do(AgentLinkCut{kPid}), ElementsAre("UPDATE t TASK_LOST"));
  EXPECT_EQ(status_.reason(), mesos::v1::TaskStatus::REASON_AGENT_DISCONNECTED);
}

TEST_F(MasterTest, AKillIsSaidAgainWhenTheAgentIsBack) {
  AddAgent();
  Subscribe();
  Launch("t");
  Do(AgentLinkCut{kPid});
  Call call;
  call.set_type(Call::KILL);
  call.mutable_kill()->mutable_task_id()->set_value("t");
  EXPECT_THAT(Send(call), ElementsAre("202"));
  ReregisterAgent back;
  back.agent.mutable_id()->set_value(agent_id_);
  mesos::v1::Task task;
  task.mutable_task_id()->set_value("t");
  task.mutable_framework_id()->set_value(id_);
  back.tasks.push_back(task);
  EXPECT_THAT(Do(FromAgent{kPid, back}), ElementsAre("agent Reregistered", "agent KillTask t"));
}

TEST_F(MasterTest, ANewMasterIsSilentAboutAgentsThatMayComeBack) {
  AddAgent();
  Subscribe();
  const std::string agent_id = agent_id_;
  const std::string id = id_;
  master_ = std::make_unique<Master>(options_, Random(2), saved_, now_);
  Subscribe([&](FrameworkInfo& info) { info.mutable_id()->set_value(id); });
  EXPECT_THAT(Reconcile("t", agent_id), ElementsAre("202"));
  EXPECT_THAT(Reconcile("t", "nobody"), ElementsAre("202", "UPDATE t TASK_UNKNOWN"));
  Wait(std::chrono::minutes(10));
  EXPECT_THAT(Reconcile("t", agent_id), ElementsAre("202", "UPDATE t TASK_UNREACHABLE"));
}

TEST_F(MasterTest, AnAgentMarkedGoneTakesItsTasksWithIt) {
  AddAgent();
  Subscribe();
  Launch("t");
  OperatorCall call;
  call.call.set_type(mesos::v1::master::Call::MARK_AGENT_GONE);
  call.call.mutable_mark_agent_gone()->mutable_agent_id()->set_value(agent_id_);
  EXPECT_THAT(Do(call),
              ElementsAre("200", "agent Shutdown", "UPDATE t TASK_GONE_BY_OPERATOR", "FAILURE"));
  EXPECT_THAT(Reconcile("t", agent_id_), ElementsAre("202", "UPDATE t TASK_GONE_BY_OPERATOR"));
  ReregisterAgent back;
  back.agent.mutable_id()->set_value(agent_id_);
  EXPECT_THAT(Do(FromAgent{kPid, back}), ElementsAre("agent Shutdown"));
}

TEST_F(MasterTest, TeardownEndsTheStreamWithoutAnEvent) {
  AddAgent();
  Subscribe();
  Launch("t");
  Call call;
  call.set_type(Call::TEARDOWN);
  EXPECT_THAT(Send(call), ElementsAre("202", "close", "agent ShutdownFramework"));
  EXPECT_TRUE(master_->frameworks().empty());
  EXPECT_EQ(master_->completed_frameworks().front().completed.front().state(),
            mesos::v1::TASK_KILLED);
}

TEST_F(MasterTest, TheSameSeedGivesTheSameIds) {
  Master other(options_, Random(1), Registry{}, now_);
  EXPECT_EQ(other.info().id(), master_->info().id());
}

}  // namespace
}  // namespace kiln::local
