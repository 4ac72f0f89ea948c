// Who pays for jobs.
#include <fmt/ranges.h>

#include <algorithm>
#include <unordered_map>

#include "scheduler/lifecycle/lifecycle.h"

namespace kiln::scheduler {
namespace {

// A task that is to be killed and is cut off is nobody's, as Mesos sees it.
bool IsNobodys(const Task& task) {
  return task.state == TaskState::kUnreachable && task.kill_wanted;
}

bool Has(const std::vector<std::string>& roles, std::string_view role) {
  return std::find(roles.begin(), roles.end(), role) != roles.end();
}

bool IsSet(const RoleSettings& settings, const std::string& role) {
  return std::any_of(settings.roles.begin(), settings.roles.end(),
                     [&](const Role& set) { return set.name == role; });
}

// What starts together, or else by itself, is more than the role may ever have.
Status CheckLimit(const Role& role, const Job& job) {
  const auto check = [&](const std::string& field, const char* thing, const Amounts& asked,
                         size_t i) -> Status {
    if (asked[i] <= role.limit[i]) return {};
    return FailField(field, "{} needs {}: expected at most the limit of role {}, {}", thing,
                     AmountText(i, asked[i]), role.name, AmountText(i, role.limit[i]));
  };
  Amounts gang{};
  int needed = job.gang_members;
  for (size_t g = 0; g < job.groups.size(); ++g) {
    const Group& group = job.groups[g];
    const Amounts each = AmountsOf(group);
    for (size_t i = 0; i < each.size(); ++i) {
      KILN_TRY_OK(check(fmt::format("groups[{}].{}", g, kShared[i]), "a member", each, i));
    }
    if (!group.after.empty()) continue;
    const int count = std::min(needed, group.count);
    Add(gang, Times(each, count));
    needed -= count;
  }
  for (size_t i = 0; i < gang.size(); ++i) KILN_TRY_OK(check("gang", "the gang", gang, i));
  return {};
}

}  // namespace

std::string Lifecycle::OfferRole(const std::string& role) const {
  const auto& roles = settings_.roles;
  for (std::string_view name = role; !name.empty(); name = ParentRole(name)) {
    if (Has(roles, name)) return std::string(name);
  }
  return Has(roles, "*") && IsSet(settings_.sharing, role) ? "*" : role;
}

Status Lifecycle::CheckRole(const Job& job) const {
  std::vector<std::string> usable = settings_.roles;
  for (const Role& role : settings_.sharing.roles) {
    if (!Has(usable, role.name) && Has(settings_.roles, OfferRole(role.name))) {
      usable.push_back(role.name);
    }
  }
  if (!Has(usable, job.role)) {
    return FailField("role", "role is \"{}\": expected one of {}", job.role,
                     fmt::join(usable, ", "));
  }
  for (const Role& role : settings_.sharing.roles) {
    if (IsWithin(job.role, role.name)) KILN_TRY_OK(CheckLimit(role, job));
  }
  return {};
}

Sharing Lifecycle::SharingAt(Instant now, const Amounts& free) const {
  Sharing sharing{.settings = &settings_.sharing, .use = usage_.At(now), .total = free};
  for (const auto& [role, use] : sharing.use) Add(sharing.total, use.used);
  return sharing;
}

bool Lifecycle::Counts(const Task& task) { return !IsTerminal(task.state) && !IsNobodys(task); }

void Lifecycle::Count(const Task& task, bool counted, Instant now) {
  if (Counts(task) == counted) return;
  const auto record = state_.jobs.find(task.member.job);
  if (record == state_.jobs.end()) return;
  const std::string& role = record->second.job.role;
  if (counted) {
    usage_.End(role, AmountsOf(task.resources), now);
    running_.End(task);
  } else {
    usage_.Start(role, AmountsOf(task.resources), now);
    StartRunning(record->second.job, runs_.at(task.member.job), task);
  }
}

// The past is not stored: tasks that are remembered tell it.
void Lifecycle::CountPast(const Task& task) {
  const auto record = state_.jobs.find(task.member.job);
  if (record == state_.jobs.end() || IsNobodys(task)) return;
  const std::string& role = record->second.job.role;
  usage_.Start(role, AmountsOf(task.resources), task.launched);
  if (IsTerminal(task.state)) {
    usage_.End(role, AmountsOf(task.resources), task.ended);
    Remember(task);
  } else {
    StartRunning(record->second.job, runs_.at(task.member.job), task);
  }
}

void Lifecycle::StartRunning(const Job& job, const JobRun& run, const Task& task) {
  int finished = 0;
  for (size_t i = 0; i < run.groups.size(); ++i) {
    if (IsInGang(job, job.groups[i])) finished += run.groups[i].finished;
  }
  running_.Start(job, OfferRole(job.role), finished, task);
}

// How long work takes is known from what ended well.
void Lifecycle::Remember(const Task& task) {
  const JobRecord* record = RecordOf(task);
  if (record == nullptr || task.state != TaskState::kFinished) return;
  const Group* group = FindGroup(record->job, task.member.group);
  const Instant start = task.started.nanoseconds > 0 ? task.started : task.launched;
  if (group != nullptr) durations_.Add(*group, task.ended - start);
}

Outlook Lifecycle::OutlookAt(Instant now) const {
  // It is asked for each task that runs, and has to read all of the work to know what is like it.
  auto known = std::make_shared<std::unordered_map<const Group*, std::optional<Duration>>>();
  return {.now = now, .running = &running_, .took = [this, known](const Group& group) {
            const auto [took, is_new] = known->try_emplace(&group);
            if (is_new) took->second = durations_.Of(group);
            return took->second;
          }};
}

}  // namespace kiln::scheduler
