// The levels of the topology: what agents say of where they stand.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/job.h"
#include "model/offer.h"

namespace kiln::scheduler {

// Names of levels, the widest first: "region" and "zone" are those of the agent's fault domain, the
// others, and these where it has none, are attributes. Below them all stands kHostLevel.
using Levels = std::vector<std::string>;
inline constexpr char kHostLevel[] = "host";

// Region, zone, rack, switch.
Levels DefaultLevels();
// The levels have names of their own, and kHostLevel is not among them.
Status CheckLevels(const Levels& levels);

// Empty where the agent does not say.
std::string_view DomainOf(const Agent& agent, const std::string& level);
// "eu/eu-1/r7": of the levels above the host.
std::string PathOf(const Agent& agent, const Levels& levels);

// What the gang of the job requires and prefers are levels, and the constraints of its members can
// hold there. The first fault, with its field.
Status CheckGangLevels(const Job& job, const Levels& levels);

}  // namespace kiln::scheduler
