#include <gmock/gmock.h>

#include "local/cluster/master_fixture.h"

namespace kiln::local {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

class MasterMaintenanceTest : public MasterTest {
 protected:
  using Operator = mesos::v1::master::Call;

  // The machine of the agent is away from nanosecond 7 on; without: nothing is.
  std::vector<std::string> Schedule(bool away = true) {
    OperatorCall input;
    input.call.set_type(Operator::UPDATE_MAINTENANCE_SCHEDULE);
    auto* schedule = input.call.mutable_update_maintenance_schedule()->mutable_schedule();
    if (away) {
      auto* window = schedule->add_windows();
      *window->add_machine_ids() = Machine();
      window->mutable_unavailability()->mutable_start()->set_nanoseconds(7);
    }
    return Do(input);
  }
  std::vector<std::string> Start() {
    OperatorCall input;
    input.call.set_type(Operator::START_MAINTENANCE);
    *input.call.mutable_start_maintenance()->add_machines() = Machine();
    return Do(input);
  }
  std::vector<std::string> Stop() {
    OperatorCall input;
    input.call.set_type(Operator::STOP_MAINTENANCE);
    *input.call.mutable_stop_maintenance()->add_machines() = Machine();
    return Do(input);
  }
  std::vector<std::string> AcceptInverse(double refuse) {
    Call call;
    call.set_type(Call::ACCEPT_INVERSE_OFFERS);
    call.mutable_accept_inverse_offers()->add_inverse_offer_ids()->set_value(inverse_offer_);
    call.mutable_accept_inverse_offers()->mutable_filters()->set_refuse_seconds(refuse);
    return Send(call);
  }
  std::vector<std::string> DeclineInverse(double refuse) {
    Call call;
    call.set_type(Call::DECLINE_INVERSE_OFFERS);
    call.mutable_decline_inverse_offers()->add_inverse_offer_ids()->set_value(inverse_offer_);
    call.mutable_decline_inverse_offers()->mutable_filters()->set_refuse_seconds(refuse);
    return Send(call);
  }
  // "draining DECLINE", "down", "up".
  std::string Status() {
    OperatorCall input;
    input.call.set_type(Operator::GET_MAINTENANCE_STATUS);
    Do(input);
    const auto& status = response_.get_maintenance_status().status();
    if (status.down_machines_size() > 0) return "down";
    if (status.draining_machines_size() == 0) return "up";
    std::string line = "draining";
    for (const auto& one : status.draining_machines(0).statuses()) {
      line += " " + mesos::v1::master::InverseOfferStatus::Status_Name(one.status());
    }
    return line;
  }
  static mesos::v1::MachineID Machine() {
    mesos::v1::MachineID machine;
    machine.set_hostname("agent1.test");
    machine.set_ip("127.0.0.1");
    return machine;
  }
};

TEST_F(MasterMaintenanceTest, FrameworksAreAskedUntilTheScheduleIsTakenBack) {
  AddAgent();
  Subscribe();
  EXPECT_THAT(Schedule(),
              ElementsAre("200", "RESCIND", "OFFERS cpus:4; mem:4096 away at 7", "INVERSE_OFFERS"));
  EXPECT_EQ(Status(), "draining");
  EXPECT_THAT(DeclineInverse(1), ElementsAre("202"));
  EXPECT_EQ(Status(), "draining DECLINE");
  EXPECT_THAT(Wait(seconds(2)), ElementsAre("INVERSE_OFFERS"));
  EXPECT_THAT(AcceptInverse(1000), ElementsAre("202"));
  EXPECT_EQ(Status(), "draining ACCEPT");
  EXPECT_THAT(Wait(seconds(3)), IsEmpty());
  EXPECT_THAT(Schedule(false), ElementsAre("200", "RESCIND", "OFFERS cpus:4; mem:4096"));
  EXPECT_EQ(Status(), "up");
  EXPECT_THAT(Wait(seconds(3)), IsEmpty());
}

TEST_F(MasterMaintenanceTest, AReviveEndsFiltersOfInverseOffersToo) {
  AddAgent();
  Subscribe();
  Schedule();
  DeclineInverse(1000);
  EXPECT_THAT(Wait(seconds(3)), IsEmpty());
  Call call;
  call.set_type(Call::REVIVE);
  EXPECT_THAT(Send(call), ElementsAre("202", "INVERSE_OFFERS"));
}

TEST_F(MasterMaintenanceTest, AnswersAndFiltersAreForOneSchedule) {
  AddAgent();
  Subscribe();
  Schedule();
  AcceptInverse(1000);
  EXPECT_THAT(Schedule(),
              ElementsAre("200", "RESCIND", "OFFERS cpus:4; mem:4096 away at 7", "INVERSE_OFFERS"));
  EXPECT_EQ(Status(), "draining");
  EXPECT_THAT(Schedule(false),
              ElementsAre("200", "RESCIND", "RESCIND_INVERSE_OFFER", "OFFERS cpus:4; mem:4096"));
}

TEST_F(MasterMaintenanceTest, OnlyFrameworksWithSomethingToLoseAreAsked) {
  AddAgent();
  Subscribe();
  Launch("t", 4);
  Call call;
  call.set_type(Call::SUPPRESS);
  Send(call);
  EXPECT_THAT(Schedule(), ElementsAre("200", "INVERSE_OFFERS"));
  DeclineInverse(0);
  Report("t", mesos::v1::TASK_FINISHED);
  EXPECT_THAT(Wait(seconds(3)), IsEmpty());
}

TEST_F(MasterMaintenanceTest, AFrameworkThatComesBackIsAskedAgain) {
  AddAgent();
  Subscribe();
  Schedule();
  AcceptInverse(1000);
  Do(SchedulerStreamClosed{stream_});
  const std::string id = id_;
  EXPECT_THAT(Subscribe([&](FrameworkInfo& info) { info.mutable_id()->set_value(id); }),
              ElementsAre("SUBSCRIBED", "OFFERS cpus:4; mem:4096 away at 7", "INVERSE_OFFERS"));
}

TEST_F(MasterMaintenanceTest, AMachineGoesDownAndComesUp) {
  EXPECT_THAT(Start(), ElementsAre("400 Machine '{\"hostname\":\"agent1.test\",\"ip\":"
                                   "\"127.0.0.1\"}' is not part of a maintenance schedule"));
  AddAgent();
  EXPECT_THAT(Start(),
              ElementsAre("400 Machine '{\"hostname\":\"agent1.test\",\"ip\":\"127.0.0.1\"}' "
                          "is not in DRAINING mode and cannot be brought down"));
  Subscribe();
  Launch("t", 4);
  Schedule();
  EXPECT_THAT(Stop(),
              ElementsAre("400 Machine '{\"hostname\":\"agent1.test\",\"ip\":\"127.0.0.1\"}' "
                          "is not in DOWN mode and cannot be brought up"));
  EXPECT_THAT(Start(), ElementsAre("200", "agent Shutdown", "UPDATE t TASK_LOST", "RESCIND",
                                   "RESCIND_INVERSE_OFFER", "FAILURE"));
  EXPECT_EQ(Status(), "down");
  EXPECT_THAT(AddAgent(), ElementsAre("agent Shutdown"));
  EXPECT_THAT(Schedule(false),
              ElementsAre("400 Machine '{\"hostname\":\"agent1.test\",\"ip\":\"127.0.0.1\"}' is "
                          "deactivated and cannot be removed from the schedule"));
  EXPECT_THAT(Stop(), ElementsAre("200"));
  EXPECT_EQ(Status(), "up");
  EXPECT_THAT(AddAgent(), ElementsAre("agent Registered", "OFFERS cpus:4; mem:4096"));
}

TEST_F(MasterMaintenanceTest, AScheduledMachineIsNotDrainedToo) {
  AddAgent();
  Schedule();
  OperatorCall input;
  input.call.set_type(Operator::DRAIN_AGENT);
  input.call.mutable_drain_agent()->mutable_agent_id()->set_value(agent_id_);
  EXPECT_THAT(Do(input), ElementsAre("400 Agent " + agent_id_ +
                                     " is part of a maintenance schedule under Machine "
                                     "{\"hostname\":\"agent1.test\",\"ip\":\"127.0.0.1\"}"));
}

TEST_F(MasterMaintenanceTest, ASilentFrameworkLosesTheInverseOffer) {
  options_.offer_timeout = seconds(5);
  master_ = std::make_unique<Master>(options_, Random(1), Registry{}, now_);
  AddAgent();
  Subscribe();
  Launch("t", 4);
  Call call;
  call.set_type(Call::SUPPRESS);
  Send(call);
  Schedule();
  EXPECT_THAT(Wait(seconds(5)), ElementsAre("RESCIND_INVERSE_OFFER", "INVERSE_OFFERS"));
}

TEST_F(MasterMaintenanceTest, TheScheduleSurvivesTheMaster) {
  AddAgent();
  Schedule();
  Start();
  master_ = std::make_unique<Master>(options_, Random(2), saved_, now_);
  EXPECT_EQ(Status(), "down");
  EXPECT_THAT(AddAgent(), ElementsAre("agent Shutdown"));
}

}  // namespace
}  // namespace kiln::local
