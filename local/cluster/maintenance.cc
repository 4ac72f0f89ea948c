#include "local/cluster/maintenance.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>

namespace kiln::local {

using mesos::v1::MachineID;
using mesos::v1::Unavailability;
using mesos::v1::master::Schedule;

namespace {

bool EqualsWithoutCase(const std::string& a, const std::string& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](unsigned char x, unsigned char y) {
    return std::tolower(x) == std::tolower(y);
  });
}

bool IsIp(const std::string& text) {
  const char* at = text.data();
  const char* end = at + text.size();
  for (int part = 0; part < 4; ++part) {
    if (part > 0 && (at == end || *at++ != '.')) return false;
    uint8_t value = 0;
    const auto [next, error] = std::from_chars(at, end, value);
    if (error != std::errc()) return false;
    at = next;
  }
  return at == end;
}

template <typename List>
bool Holds(const List& machines, const MachineID& machine) {
  return std::any_of(machines.begin(), machines.end(),
                     [&](const MachineID& entry) { return IsSameMachine(entry, machine); });
}

// `seen` is what stands before it in the list.
Objection ValidateMachine(const MachineID& machine, std::vector<MachineID>& seen) {
  if (machine.hostname().empty() && machine.ip().empty()) {
    return "Both 'hostname' and 'ip' for a machine are empty";
  }
  if (!machine.ip().empty() && !IsIp(machine.ip())) {
    return fmt::format("Failed to parse the IP address '{}'", machine.ip());
  }
  if (Holds(seen, machine)) {
    return fmt::format("Machine '{}' appears more than once in the schedule", MachineText(machine));
  }
  seen.push_back(machine);
  return std::nullopt;
}

}  // namespace

MachineID MachineOf(const mesos::v1::AgentInfo& agent, const std::string& pid) {
  MachineID machine;
  machine.set_hostname(agent.hostname());
  const size_t at = pid.find('@') + 1;
  machine.set_ip(pid.substr(at, pid.rfind(':') - at));
  return machine;
}

std::string MachineText(const MachineID& machine) {
  std::string text;
  if (machine.has_hostname()) text = fmt::format(R"("hostname":"{}")", machine.hostname());
  if (machine.has_ip()) {
    text += fmt::format(R"({}"ip":"{}")", text.empty() ? "" : ",", machine.ip());
  }
  return "{" + text + "}";
}

bool IsSameMachine(const MachineID& a, const MachineID& b) {
  return a.has_hostname() == b.has_hostname() && EqualsWithoutCase(a.hostname(), b.hostname()) &&
         a.has_ip() == b.has_ip() && a.ip() == b.ip();
}

const Unavailability* FindUnavailability(const Maintenance& maintenance, const MachineID& machine) {
  for (const auto& window : maintenance.schedule.windows()) {
    if (Holds(window.machine_ids(), machine)) return &window.unavailability();
  }
  return nullptr;
}

bool IsDown(const Maintenance& maintenance, const MachineID& machine) {
  return Holds(maintenance.down, machine);
}

void BringUp(Maintenance& maintenance, const MachineList& machines) {
  auto among = [&](const MachineID& machine) { return Holds(machines, machine); };
  std::erase_if(maintenance.down, among);
  Schedule kept;
  for (auto& window : *maintenance.schedule.mutable_windows()) {
    auto& ids = *window.mutable_machine_ids();
    ids.erase(std::remove_if(ids.begin(), ids.end(), among), ids.end());
    if (!ids.empty()) *kept.add_windows() = window;
  }
  maintenance.schedule = std::move(kept);
}

Objection ValidateSchedule(const Schedule& schedule, const Maintenance& current) {
  std::vector<MachineID> seen;
  for (const auto& window : schedule.windows()) {
    if (window.machine_ids().empty()) return "List of machines in the maintenance window is empty";
    if (window.unavailability().duration().nanoseconds() < 0) {
      return "Unavailability 'duration' is negative";
    }
    for (const MachineID& machine : window.machine_ids()) {
      if (Objection objection = ValidateMachine(machine, seen)) return objection;
    }
  }
  for (const MachineID& machine : current.down) {
    if (!Holds(seen, machine)) {
      return fmt::format("Machine '{}' is deactivated and cannot be removed from the schedule",
                         MachineText(machine));
    }
  }
  return std::nullopt;
}

Objection ValidateMachines(const MachineList& machines) {
  if (machines.empty()) return "List of machines is empty";
  std::vector<MachineID> seen;
  for (const MachineID& machine : machines) {
    if (Objection objection = ValidateMachine(machine, seen)) return objection;
  }
  return std::nullopt;
}

}  // namespace kiln::local
