// What a member needs of an agent besides its own resources: its executor.
#pragma once

#include <string>

#include "model/job.h"

namespace kiln::scheduler {

// Members that share a device share the executor that holds it: Mesos gives a device to one
// container. A container image is one container's alone, so work with an image has its device
// alone.
inline bool SharesDevice(const Group& group) {
  const auto* command = std::get_if<CommandWork>(&group.work);
  return group.gpus.share > 0 && (command == nullptr || command->image.empty());
}

// Other work that may hurt its neighbours, a command or anything with a GPU, has an executor of its
// own.
inline bool SharesExecutor(const Group& group) {
  if (SharesDevice(group)) return true;
  return !std::holds_alternative<CommandWork>(group.work) && !group.gpus.Any();
}

// Its executor carries the kernel work of a pool.
inline bool IsPooled(const Group& group) { return SharesExecutor(group) && !SharesDevice(group); }

// Jobs with the same text share executors.
inline std::string ExecutorPool(const Job& job, const std::string& role) {
  return job.pool.empty() ? fmt::format("{} job {}", role, job.name)
                          : fmt::format("{} pool {}", role, job.pool);
}

// The pool of the executor that holds a device for members that share it.
inline std::string DevicePool(const GpuId& device, const std::string& role) {
  return fmt::format("{} gpu {}", role, device.text);
}

}  // namespace kiln::scheduler
