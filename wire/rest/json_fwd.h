// The name of a JSON value, for headers.
#pragma once

#include <nlohmann/json_fwd.hpp>

namespace kiln::wire {

// Keys keep the order in which they were put in.
using Json = nlohmann::ordered_json;

}  // namespace kiln::wire
