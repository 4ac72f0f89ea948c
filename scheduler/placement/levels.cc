#include "scheduler/placement/levels.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "model/constraint.h"

namespace kiln::scheduler {
namespace {

// The level whose domain a constraint's field tells; empty for what is no level.
std::string LevelOfField(const std::string& field) {
  if (field == "hostname" || field == "@hostname") return kHostLevel;
  return field.starts_with('@') ? field.substr(1) : field;
}

Status CheckLevel(const char* field, const std::string& level, const Levels& known) {
  if (level.empty() || std::find(known.begin(), known.end(), level) != known.end()) return {};
  return FailField(field, "level is \"{}\": expected one of {}", level, fmt::join(known, ", "));
}

// A gang in one domain of a level has one value of that level and of all above it.
Status CheckConstraints(const Job& job, const Levels& one_of_each) {
  for (const std::string& level : one_of_each) {
    const Constraint* pin = nullptr;
    for (size_t g = 0; g < job.groups.size(); ++g) {
      const Group& group = job.groups[g];
      if (!group.after.empty()) continue;
      for (size_t i = 0; i < group.constraints.size(); ++i) {
        const Constraint& constraint = group.constraints[i];
        if (LevelOfField(constraint.field) != level) continue;
        const std::string field = fmt::format("groups[{}].constraints[{}]", g, i);
        const auto most = MostOfOneValue(constraint);
        if (most && *most < group.count) {
          return FailField(field,
                           "constraint {} lets {} of {} members into one {}: expected all, as the "
                           "gang requires one {}",
                           ToText(constraint), *most, group.count, level, job.gang_require);
        }
        if (!HasOneValue(constraint) || constraint.value.empty()) continue;
        if (pin != nullptr && !IsSameValue(pin->value, constraint.value)) {
          return FailField(field,
                           "constraints {} and {} have no {} in common: expected one, as the gang "
                           "requires one {}",
                           ToText(*pin), ToText(constraint), level, job.gang_require);
        }
        pin = &constraint;
      }
    }
  }
  return {};
}

}  // namespace

Levels DefaultLevels() { return {"region", "zone", "rack", "switch"}; }

Status CheckLevels(const Levels& levels) {
  for (size_t i = 0; i < levels.size(); ++i) {
    const bool again = std::find(levels.begin(), levels.begin() + static_cast<long>(i),
                                 levels[i]) != levels.begin() + static_cast<long>(i);
    if (levels[i].empty() || levels[i] == kHostLevel || again) {
      return Fail(ErrorCode::kInvalidArgument,
                  "topology has the level \"{}\"{}: expected names of their own, from the widest "
                  "level to that above the host",
                  levels[i], again ? " twice" : "");
    }
  }
  return {};
}

std::string_view DomainOf(const Agent& agent, const std::string& level) {
  if (level == kHostLevel) return agent.hostname.empty() ? agent.id.text : agent.hostname;
  if (level == "region" && !agent.region.empty()) return agent.region;
  if (level == "zone" && !agent.zone.empty()) return agent.zone;
  const auto found = agent.attributes.find(level);
  return found == agent.attributes.end() ? std::string_view() : found->second;
}

std::string PathOf(const Agent& agent, const Levels& levels) {
  std::string path;
  for (const std::string& level : levels) {
    const std::string_view name = DomainOf(agent, level);
    if (name.empty()) continue;
    path += (path.empty() ? "" : "/") + std::string(name);
  }
  return path;
}

Status CheckGangLevels(const Job& job, const Levels& levels) {
  Levels known = levels;
  known.emplace_back(kHostLevel);
  KILN_TRY_OK(CheckLevel("gang.require", job.gang_require, known));
  KILN_TRY_OK(CheckLevel("gang.prefer", job.gang_prefer, known));
  if (job.gang_require.empty()) return {};
  const auto required = std::find(known.begin(), known.end(), job.gang_require);
  const Levels below(required + 1, known.end());
  if (!job.gang_prefer.empty() && !CheckLevel("", job.gang_prefer, below)) {
    return FailField("gang.prefer", "prefer is {} and require {}: expected a level below {}",
                     job.gang_prefer, job.gang_require, job.gang_require);
  }
  return CheckConstraints(job, {known.begin(), required + 1});
}

}  // namespace kiln::scheduler
