// The roles file: weights, quotas and limits of roles.
#pragma once

#include <string_view>

#include "base/result.h"
#include "model/role.h"
#include "wire/rest/json_fwd.h"

namespace kiln::wire {

// Reads and validates YAML or JSON. Errors have the path of the field.
Result<RoleSettings> DecodeRoles(std::string_view text);

// {"cpus":1.5,"mem":"512MiB",...}: only what differs from `blank`.
Json AmountsToJson(const Amounts& amounts, const Amounts& blank);

}  // namespace kiln::wire
