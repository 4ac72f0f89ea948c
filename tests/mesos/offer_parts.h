// An offer made while a container ends may come in two parts: the first holds less and lists the
// executor, the second brings the rest. Pure.
#pragma once

#include <optional>
#include <string>

#include "tests/mesos/scenario.h"

namespace kiln::replay {

// The OFFERS event of the one offer that these two are parts of: the second with all resources and
// the second's id. Nothing if they are not two parts of one.
std::optional<Json> Joined(const Json& first, const Json& second);

// The id of the only offer of an OFFERS event, or its placeholder.
std::string OfferIdOf(const Json& event);

}  // namespace kiln::replay
