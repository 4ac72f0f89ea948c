#include "local/cluster/maintenance.h"

#include <gtest/gtest.h>

namespace kiln::local {
namespace {

using mesos::v1::MachineID;
using mesos::v1::master::Schedule;

MachineID Machine(const char* hostname, const char* ip) {
  MachineID machine;
  if (hostname) machine.set_hostname(hostname);
  if (ip) machine.set_ip(ip);
  return machine;
}

Schedule Of(const std::vector<MachineID>& machines, int64_t duration = 1) {
  Schedule schedule;
  auto* window = schedule.add_windows();
  for (const MachineID& machine : machines) *window->add_machine_ids() = machine;
  window->mutable_unavailability()->mutable_start()->set_nanoseconds(7);
  window->mutable_unavailability()->mutable_duration()->set_nanoseconds(duration);
  return schedule;
}

TEST(MaintenanceTest, SchedulesAreChecked) {
  const struct {
    Schedule schedule;
    const char* objection;
  } cases[] = {
      {{}, ""},
      {Of({Machine("a", "127.0.0.1"), Machine("a", nullptr), Machine(nullptr, "1.2.3.4")}), ""},
      {Of({}), "List of machines in the maintenance window is empty"},
      {Of({Machine("a", nullptr)}, -1), "Unavailability 'duration' is negative"},
      {Of({Machine("", nullptr)}), "Both 'hostname' and 'ip' for a machine are empty"},
      {Of({Machine("a", "1.2.3")}), "Failed to parse the IP address '1.2.3'"},
      {Of({Machine("a", "1.2.3.256")}), "Failed to parse the IP address '1.2.3.256'"},
      {Of({Machine("a", "1.2.3.4.")}), "Failed to parse the IP address '1.2.3.4.'"},
      {Of({Machine("a", "1.2.3.4"), Machine("A", "1.2.3.4")}),
       R"(Machine '{"hostname":"A","ip":"1.2.3.4"}' appears more than once in the schedule)"},
  };
  for (const auto& one : cases) {
    EXPECT_EQ(ValidateSchedule(one.schedule, {}).value_or(""), one.objection);
  }
}

TEST(MaintenanceTest, AMachineThatIsDownStaysScheduled) {
  Maintenance current{Of({Machine("a", nullptr)}), {Machine("a", nullptr)}};
  EXPECT_EQ(ValidateSchedule(Of({Machine("A", nullptr)}), current), std::nullopt);
  EXPECT_EQ(ValidateSchedule({}, current),
            R"(Machine '{"hostname":"a"}' is deactivated and cannot be removed from the schedule)");
}

TEST(MaintenanceTest, AMachineIsItsHostNameAndItsAddress) {
  const Maintenance maintenance{Of({Machine("a", "127.0.0.1"), Machine("b", nullptr)}), {}};
  EXPECT_NE(FindUnavailability(maintenance, Machine("A", "127.0.0.1")), nullptr);
  EXPECT_EQ(FindUnavailability(maintenance, Machine("a", nullptr)), nullptr);
  EXPECT_EQ(FindUnavailability(maintenance, Machine("b", "127.0.0.1")), nullptr);
  mesos::v1::AgentInfo agent;
  agent.set_hostname("a");
  EXPECT_EQ(MachineText(MachineOf(agent, "slave(1)@127.0.0.1:5051")),
            R"({"hostname":"a","ip":"127.0.0.1"})");
}

TEST(MaintenanceTest, MachinesThatComeUpLeaveNoEmptyWindow) {
  Maintenance maintenance{Of({Machine("a", nullptr), Machine("b", nullptr)}),
                          {Machine("a", nullptr)}};
  MachineList machines;
  *machines.Add() = Machine("a", nullptr);
  BringUp(maintenance, machines);
  EXPECT_EQ(maintenance.schedule.SerializeAsString(),
            Of({Machine("b", nullptr)}).SerializeAsString());
  EXPECT_TRUE(maintenance.down.empty());
  *machines.Mutable(0) = Machine("b", nullptr);
  BringUp(maintenance, machines);
  EXPECT_EQ(maintenance.schedule.windows_size(), 0);
  EXPECT_EQ(ValidateMachines({}), "List of machines is empty");
}

}  // namespace
}  // namespace kiln::local
