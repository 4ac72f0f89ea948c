// The state of a scheduler whose cluster has run for a while, from a seed.
#pragma once

#include <cstddef>
#include <cstdint>

#include "scheduler/lifecycle/state.h"

namespace kiln::bench {

inline constexpr int kMembersOfJob = 1'000;

// Jobs of a thousand members each, on an agent for each hundred tasks. Every tenth task has
// finished, the others run.
scheduler::State LargeState(size_t tasks, uint64_t seed);

}  // namespace kiln::bench
