// What a member needs of an agent besides its own resources: its executor.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "model/job.h"
#include "model/resources.h"

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

// Groups with the same text share executors. Mesos lets no executor have revocable cpus beside
// others.
inline std::string ExecutorPool(const Job& job, const Group& group, const std::string& role) {
  std::string pool = role;
  if (group.revocable) pool += " revocable";
  return pool + (job.pool.empty() ? " job " + job.name : " pool " + job.pool);
}

// What the shared executor takes that comes with a member, of `own` that such executors need for
// themselves.
inline Resources ExecutorFor(const Group& group, Resources own) {
  if (!SharesExecutor(group)) return {};
  if (group.revocable) std::swap(own.cpus_milli, own.revocable_cpus_milli);
  return own;
}

// Null: a member may start anywhere.
inline const VolumeTie* TieOf(const Group& group) {
  for (const Volume& volume : group.volumes) {
    if (volume.tie) return &*volume.tie;
  }
  return nullptr;
}

// Free disk, without volumes that are there already.
inline Bytes DiskFor(const Group& group) {
  Bytes disk = group.disk;
  for (const Volume& volume : group.volumes) {
    if (!volume.tie) disk = disk + volume.size;
  }
  return disk;
}

// The volumes that are there already.
inline Resources VolumesFor(const Group& group) {
  Resources held;
  for (const Volume& volume : group.volumes) {
    if (volume.tie) held += Resources{.volumes = {{volume.tie->id, volume.size}}};
  }
  return held;
}

// Those of the cpus that the group may use.
inline int64_t CpusFor(const Group& group, const Resources& free) {
  return group.revocable ? free.revocable_cpus_milli : free.cpus_milli;
}

// The pool of the executor that holds a device for members that share it.
inline std::string DevicePool(const GpuId& device, const std::string& role) {
  return fmt::format("{} gpu {}", role, device.text);
}

}  // namespace kiln::scheduler
