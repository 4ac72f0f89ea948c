// What a member needs of an agent besides its own resources: its executor.
#pragma once

#include <string>

#include "model/job.h"

namespace kiln::scheduler {

// Work that may hurt its neighbours, a command or anything with a GPU, has an executor of its own.
inline bool SharesExecutor(const Group& group) {
  return !std::holds_alternative<CommandWork>(group.work) && !group.gpus.Any();
}

// Jobs with the same text share executors.
inline std::string ExecutorPool(const Job& job, const std::string& role) {
  return job.pool.empty() ? fmt::format("{} job {}", role, job.name)
                          : fmt::format("{} pool {}", role, job.pool);
}

}  // namespace kiln::scheduler
