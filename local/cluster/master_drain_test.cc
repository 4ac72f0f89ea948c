#include <gmock/gmock.h>

#include "local/cluster/master_fixture.h"

namespace kiln::local {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

class MasterDrainTest : public MasterTest {
 protected:
  using Operator = mesos::v1::master::Call;

  std::vector<std::string> Drain(std::optional<int64_t> grace_seconds = {}, bool gone = false) {
    OperatorCall input;
    input.call.set_type(Operator::DRAIN_AGENT);
    auto* drain = input.call.mutable_drain_agent();
    drain->mutable_agent_id()->set_value(agent_id_);
    if (grace_seconds) drain->mutable_max_grace_period()->set_seconds(*grace_seconds);
    drain->set_mark_gone(gone);
    return Do(input);
  }
  std::vector<std::string> Deactivate() {
    OperatorCall input;
    input.call.set_type(Operator::DEACTIVATE_AGENT);
    input.call.mutable_deactivate_agent()->mutable_agent_id()->set_value(agent_id_);
    return Do(input);
  }
  std::vector<std::string> Reactivate() {
    OperatorCall input;
    input.call.set_type(Operator::REACTIVATE_AGENT);
    input.call.mutable_reactivate_agent()->mutable_agent_id()->set_value(agent_id_);
    return Do(input);
  }
  std::vector<std::string> Return(const std::string& task = {}) {
    ReregisterAgent back;
    back.agent.mutable_id()->set_value(agent_id_);
    if (!task.empty()) {
      mesos::v1::Task& one = back.tasks.emplace_back();
      one.mutable_task_id()->set_value(task);
      one.mutable_framework_id()->set_value(id_);
      one.mutable_agent_id()->set_value(agent_id_);
      one.set_state(mesos::v1::TASK_RUNNING);
    }
    return Do(FromAgent{kPid, back});
  }
  // "DRAINING 1000ms", as an operator sees it; "deactivated", "active".
  std::string State() {
    OperatorCall input;
    input.call.set_type(Operator::GET_AGENTS);
    Do(input);
    const auto& agents = response_.get_agents().agents();
    if (agents.empty()) return "no agent";
    const auto& agent = agents[0];
    if (!agent.has_drain_info()) return agent.deactivated() ? "deactivated" : "active";
    const auto& config = agent.drain_info().config();
    return DrainState_Name(agent.drain_info().state()) + " " +
           std::to_string(config.max_grace_period().nanoseconds() / 1'000'000) + "ms" +
           (agent.deactivated() ? "" : " and not deactivated");
  }
};

TEST_F(MasterDrainTest, AnAgentIsDrainedWhenItsLastUpdateIsAcknowledged) {
  AddAgent();
  Subscribe();
  Launch("t");
  Wait(seconds(1));
  EXPECT_THAT(Drain(1), ElementsAre("200", "RESCIND", "agent DrainAgent 1000ms"));
  EXPECT_THAT(Report("t", mesos::v1::TASK_KILLED), ElementsAre("UPDATE t TASK_KILLED"));
  EXPECT_EQ(State(), "DRAINING 1000ms");
  EXPECT_THAT(Reactivate(), ElementsAre("400 Agent is still in the DRAINING state"));
  EXPECT_THAT(Acknowledge(), ElementsAre("202", "agent Acknowledgement"));
  EXPECT_EQ(State(), "DRAINED 1000ms");
  EXPECT_TRUE(response_.get_agents().agents(0).has_estimated_drain_start_time());
  EXPECT_EQ(saved_.draining.at(agent_id_).state(), mesos::v1::DRAINED);
  EXPECT_THAT(Wait(seconds(2)), IsEmpty());
  EXPECT_THAT(Reactivate(), ElementsAre("200"));
  EXPECT_EQ(State(), "active");
  EXPECT_FALSE(response_.get_agents().agents(0).has_estimated_drain_start_time());
  EXPECT_THAT(saved_.draining, IsEmpty());
  EXPECT_THAT(Wait(seconds(1)), ElementsAre("OFFERS cpus:4; mem:4096"));
}

TEST_F(MasterDrainTest, AnIdleAgentIsDrainedAtOnce) {
  AddAgent();
  EXPECT_THAT(Drain(), ElementsAre("200", "agent DrainAgent 0ms"));
  EXPECT_EQ(State(), "DRAINED 0ms");
  EXPECT_FALSE(response_.get_agents().agents(0).drain_info().config().has_max_grace_period());
}

TEST_F(MasterDrainTest, AFrameworkThatIsTornDownIsNothingToWaitFor) {
  AddAgent();
  Subscribe();
  Launch("t");
  Drain();
  Call call;
  call.set_type(Call::TEARDOWN);
  Send(call);
  EXPECT_EQ(State(), "DRAINED 0ms");
}

TEST_F(MasterDrainTest, AnAgentToBeMarkedGoneGoesWhenItIsEmpty) {
  AddAgent();
  Subscribe();
  Launch("t");
  Drain(10, true);
  Report("t", mesos::v1::TASK_GONE_BY_OPERATOR);
  EXPECT_THAT(Acknowledge(),
              ElementsAre("202", "agent Acknowledgement", "agent Shutdown", "FAILURE"));
  EXPECT_EQ(State(), "no agent");
  EXPECT_EQ(saved_.gone.count(agent_id_), 1u);
  EXPECT_THAT(saved_.draining, IsEmpty());
  EXPECT_THAT(saved_.deactivated, IsEmpty());
  EXPECT_THAT(Drain(), ElementsAre("400 Unknown agent"));
}

TEST_F(MasterDrainTest, AnAgentThatComesBackIsToldAgain) {
  AddAgent();
  Subscribe();
  Launch("t");
  Do(AgentLinkCut{kPid});
  EXPECT_THAT(Drain(1), ElementsAre("200"));
  EXPECT_THAT(Return("t"), ElementsAre("agent Reregistered", "agent DrainAgent 1000ms"));
  EXPECT_EQ(State(), "DRAINING 1000ms");
}

TEST_F(MasterDrainTest, AnUnreachableAgentDrainsWhenItIsBack) {
  AddAgent();
  Subscribe();
  Launch("t");
  Do(AgentLinkCut{kPid});
  Wait(seconds(90));
  EXPECT_THAT(Drain(1), ElementsAre("200"));
  EXPECT_THAT(Reactivate(), ElementsAre("400 Agent is still in the DRAINING state"));
  EXPECT_THAT(Return("t"), ElementsAre("UPDATE t TASK_RUNNING", "agent Reregistered",
                                       "agent DrainAgent 1000ms"));
  EXPECT_EQ(State(), "DRAINING 1000ms");
}

TEST_F(MasterDrainTest, DrainingIsKeptWhileAnAgentIsUnreachable) {
  AddAgent();
  Subscribe();
  Launch("t");
  Drain(1);
  Do(AgentLinkCut{kPid});
  Wait(seconds(90));
  Return();
  EXPECT_EQ(State(), "DRAINED 1000ms");
}

TEST_F(MasterDrainTest, DrainingSurvivesTheMaster) {
  AddAgent();
  Subscribe();
  Launch("t");
  Drain(1);
  const std::string id = id_;
  master_ = std::make_unique<Master>(options_, Random(2), saved_, now_);
  Subscribe([&](FrameworkInfo& info) {
    info.mutable_id()->set_value(id);
    info.set_checkpoint(true);
  });
  Return("t");
  EXPECT_EQ(State(), "DRAINING 1000ms");
  Report("t", mesos::v1::TASK_KILLED);
  Acknowledge();
  EXPECT_EQ(State(), "DRAINED 1000ms");
}

TEST_F(MasterDrainTest, ARecoveredAgentCanBeDrained) {
  AddAgent();
  master_ = std::make_unique<Master>(options_, Random(2), saved_, now_);
  EXPECT_THAT(Drain(1), ElementsAre("200"));
  EXPECT_THAT(Return(), ElementsAre("agent Reregistered", "agent DrainAgent 1000ms"));
  EXPECT_EQ(State(), "DRAINED 1000ms");
}

TEST_F(MasterDrainTest, ADeactivatedAgentKeepsItsTasks) {
  AddAgent();
  Subscribe();
  Launch("t");
  Wait(seconds(1));
  EXPECT_THAT(Deactivate(), ElementsAre("200", "RESCIND"));
  EXPECT_EQ(State(), "deactivated");
  EXPECT_THAT(Wait(seconds(2)), IsEmpty());
  EXPECT_THAT(Deactivate(), ElementsAre("200"));
  EXPECT_THAT(Reactivate(), ElementsAre("200"));
  EXPECT_THAT(Wait(seconds(1)), ElementsAre("OFFERS cpus:3; mem:4096"));
  EXPECT_THAT(Reactivate(), ElementsAre("400 Agent is not deactivated"));
}

TEST_F(MasterDrainTest, AnUnreachableAgentComesBackAsItWasSet) {
  AddAgent();
  Do(AgentLinkCut{kPid});
  Wait(seconds(90));
  EXPECT_THAT(Deactivate(), ElementsAre("200"));
  EXPECT_THAT(Reactivate(), ElementsAre("409 Agent removed while processing the call"));
  Return();
  EXPECT_EQ(State(), "active");
}

TEST_F(MasterDrainTest, AGracePeriodTooLongForTheClockIsCut) {
  AddAgent();
  Subscribe();
  Launch("t");
  EXPECT_THAT(Drain(300'000'000'000), ElementsAre("200", "agent DrainAgent 9000000000000ms"));
}

}  // namespace
}  // namespace kiln::local
