// Tasks, agents, resources and instants as JSON, for answers.
#pragma once

#include "base/time.h"
#include "model/offer.h"
#include "model/task.h"
#include "wire/rest/json_fwd.h"

namespace kiln::wire {

// "2025-01-31T12:00:00.250Z"; null for the zero instant, which stands for never.
Json InstantToJson(Instant instant);
// {"cpus":1.5,"mem":"512MiB",...}: only what is there.
Json ResourcesToJson(const Resources& resources);
Json TaskToJson(const Task& task);
Json AgentToJson(const Agent& agent);

}  // namespace kiln::wire
