#include <gmock/gmock.h>

#include "local/cluster/master_fixture.h"

namespace kiln::local {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr char kReserved[] = "cpus(reservations: [(DYNAMIC,research)]):1";

constexpr char kUuid[] = "0123456789abcdef";

class MasterOperationsTest : public MasterTest {
 protected:
  static mesos::v1::Resource Reserved() {
    mesos::v1::Resource resource;
    resource.set_name("cpus");
    resource.set_type(mesos::v1::Value::SCALAR);
    resource.mutable_scalar()->set_value(1);
    auto* reservation = resource.add_reservations();
    reservation->set_type(mesos::v1::Resource::ReservationInfo::DYNAMIC);
    reservation->set_role("research");
    return resource;
  }
  std::vector<std::string> Reserve(const char* id = "op", double refuse = 0) {
    Call call;
    call.set_type(Call::ACCEPT);
    call.mutable_accept()->add_offer_ids()->set_value(offer_);
    call.mutable_accept()->mutable_filters()->set_refuse_seconds(refuse);
    auto* operation = call.mutable_accept()->add_operations();
    operation->set_type(mesos::v1::Offer::Operation::RESERVE);
    if (id) operation->mutable_id()->set_value(id);
    *operation->mutable_reserve()->add_resources() = Reserved();
    return Send(call);
  }
  std::vector<std::string> Finish() {
    UpdateOperationStatus message;
    message.agent_id.set_value(agent_id_);
    message.framework_id = applied_.framework_id;
    message.operation_uuid = applied_.operation_uuid;
    message.status.set_state(mesos::v1::OPERATION_FINISHED);
    if (applied_.operation.has_id()) {
      *message.status.mutable_operation_id() = applied_.operation.id();
      message.status.mutable_uuid()->set_value(kUuid);
    }
    return Do(FromAgent{kPid, message});
  }
  std::vector<std::string> AcknowledgeOperation() {
    Call call;
    call.set_type(Call::ACKNOWLEDGE_OPERATION_STATUS);
    auto* acknowledge = call.mutable_acknowledge_operation_status();
    acknowledge->mutable_agent_id()->set_value(agent_id_);
    acknowledge->set_uuid(kUuid);
    acknowledge->mutable_operation_id()->set_value("op");
    return Send(call);
  }
  std::vector<std::string> ReconcileOperation(const char* agent = nullptr) {
    Call call;
    call.set_type(Call::RECONCILE_OPERATIONS);
    auto* operation = call.mutable_reconcile_operations()->add_operations();
    operation->mutable_operation_id()->set_value("op");
    if (agent) operation->mutable_agent_id()->set_value(agent);
    return Send(call);
  }
  ReregisterAgent Back() {
    ReregisterAgent back;
    back.agent.set_hostname("agent1.test");
    back.agent.mutable_id()->set_value(agent_id_);
    const auto parsed = ParseResources("cpus:4;mem:4096");
    for (const auto& resource : *parsed) *back.agent.add_resources() = resource;
    return back;
  }
};

TEST_F(MasterOperationsTest, AReservationIsOfferedBackAndToldUntilAcknowledged) {
  AddAgent();
  Subscribe();
  // The rest is declined for long; what was made of it is not.
  EXPECT_THAT(Reserve("op", 1000), ElementsAre("202", "agent ApplyOperation"));
  EXPECT_THAT(ReconcileOperation(),
              ElementsAre("202", "UPDATE_OPERATION_STATUS op OPERATION_PENDING"));
  EXPECT_THAT(Finish(), ElementsAre("UPDATE_OPERATION_STATUS op OPERATION_FINISHED"));
  EXPECT_THAT(Finish(), ElementsAre("UPDATE_OPERATION_STATUS op OPERATION_FINISHED"));
  EXPECT_THAT(Wait(seconds(1)),
              ElementsAre(std::string("OFFERS ") + kReserved + "; cpus:3; mem:4096"));
  EXPECT_THAT(ReconcileOperation(),
              ElementsAre("202", "UPDATE_OPERATION_STATUS op OPERATION_FINISHED"));
  EXPECT_FALSE(operation_.has_uuid());
  EXPECT_THAT(ReconcileOperation("nobody"),
              ElementsAre("202", "UPDATE_OPERATION_STATUS op OPERATION_FINISHED"));
}

TEST_F(MasterOperationsTest, WithoutAnIdNobodyIsTold) {
  AddAgent();
  Subscribe();
  EXPECT_THAT(Reserve(nullptr), ElementsAre("202", "agent ApplyOperation"));
  EXPECT_THAT(Finish(), IsEmpty());
  EXPECT_TRUE(master_->agents().at(agent_id_).operations.empty());
}

TEST_F(MasterOperationsTest, AnUnknownStatusIsAcknowledgedByTheMaster) {
  AddAgent();
  Subscribe();
  Reserve();
  Call call;
  call.set_type(Call::TEARDOWN);
  Send(call);
  EXPECT_THAT(Finish(), ElementsAre("agent AcknowledgeOperation"));
  EXPECT_TRUE(master_->agents().at(agent_id_).operations.empty());
}

TEST_F(MasterOperationsTest, WhatIsUnknownIsSaidWithTheReason) {
  AddAgent();
  Subscribe();
  const struct {
    const char* agent;
    const char* message;
  } cases[] = {
      {nullptr, "Reconciliation: Operation is unknown and no 'agent_id' was provided"},
      {agent_id_.c_str(), "Reconciliation: Operation is unknown"},
      {"nobody", "Reconciliation: Both operation and agent are unknown"},
  };
  for (const auto& one : cases) {
    EXPECT_THAT(ReconcileOperation(one.agent),
                ElementsAre("202", "UPDATE_OPERATION_STATUS op OPERATION_UNKNOWN"));
    EXPECT_EQ(operation_.message(), one.message);
  }
}

TEST_F(MasterOperationsTest, AnOperationThatNeverArrivedIsDroppedAndUndone) {
  AddAgent();
  Subscribe();
  Reserve();
  Do(AgentLinkCut{kPid});
  EXPECT_THAT(Do(FromAgent{kPid, Back()}),
              ElementsAre("agent Reregistered", "UPDATE_OPERATION_STATUS op OPERATION_DROPPED",
                          "OFFERS cpus:4; mem:4096"));
}

TEST_F(MasterOperationsTest, ANewMasterLearnsOfReservationsFromTheAgent) {
  AddAgent();
  Subscribe();
  Reserve();
  const std::string id = id_;
  master_ = std::make_unique<Master>(options_, Random(2), saved_, now_);
  Subscribe([&](FrameworkInfo& info) { info.mutable_id()->set_value(id); });
  EXPECT_THAT(ReconcileOperation(agent_id_.c_str()),
              ElementsAre("202", "UPDATE_OPERATION_STATUS op OPERATION_RECOVERING"));
  ReregisterAgent back = Back();
  back.checkpointed_resources.push_back(Reserved());
  mesos::v1::Operation& operation = back.operations.emplace_back();
  operation.mutable_framework_id()->set_value(id);
  *operation.mutable_info() = applied_.operation;
  operation.mutable_latest_status()->set_state(mesos::v1::OPERATION_FINISHED);
  operation.mutable_latest_status()->mutable_operation_id()->set_value("op");
  operation.mutable_uuid()->set_value(applied_.operation_uuid);
  EXPECT_THAT(
      Do(FromAgent{kPid, back}),
      ElementsAre("agent Reregistered", std::string("OFFERS ") + kReserved + "; cpus:3; mem:4096"));
  EXPECT_THAT(Finish(), ElementsAre("UPDATE_OPERATION_STATUS op OPERATION_FINISHED"));
}

TEST_F(MasterOperationsTest, AnUnreachableAgentTakesItsOperationsWithIt) {
  AddAgent();
  Subscribe();
  Reserve();
  Do(AgentLinkCut{kPid});
  EXPECT_THAT(Wait(seconds(90)),
              ElementsAre("UPDATE_OPERATION_STATUS op OPERATION_UNREACHABLE", "FAILURE"));
  EXPECT_THAT(ReconcileOperation(agent_id_.c_str()),
              ElementsAre("202", "UPDATE_OPERATION_STATUS op OPERATION_UNREACHABLE"));
}

TEST_F(MasterOperationsTest, ADrainWaitsForTheLastAcknowledgement) {
  AddAgent();
  Subscribe();
  Reserve();
  OperatorCall input;
  input.call.set_type(mesos::v1::master::Call::DRAIN_AGENT);
  input.call.mutable_drain_agent()->mutable_agent_id()->set_value(agent_id_);
  EXPECT_THAT(Do(input), ElementsAre("200", "agent DrainAgent 0ms"));
  Finish();
  EXPECT_EQ(saved_.draining.at(agent_id_).state(), mesos::v1::DRAINING);
  EXPECT_THAT(AcknowledgeOperation(), ElementsAre("202", "agent AcknowledgeOperation"));
  EXPECT_EQ(saved_.draining.at(agent_id_).state(), mesos::v1::DRAINED);
  EXPECT_THAT(AcknowledgeOperation(), ElementsAre("202"));
}

}  // namespace
}  // namespace kiln::local
