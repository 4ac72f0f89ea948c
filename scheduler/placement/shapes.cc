#include "scheduler/placement/shapes.h"

#include <algorithm>
#include <functional>

#include "scheduler/placement/gpus.h"
#include "scheduler/placement/needs.h"

namespace kiln::scheduler {

int16_t Shapes::KindOf(const Agent& agent) {
  Devices devices;
  for (const Gpu& gpu : agent.gpus) {
    // Most agents have devices of one kind.
    std::tuple device(gpu.model, gpu.memory, gpu.mig);
    if (devices.empty() || devices.back() != device) devices.push_back(std::move(device));
  }
  std::sort(devices.begin(), devices.end());
  devices.erase(std::unique(devices.begin(), devices.end()), devices.end());
  const auto number = static_cast<int16_t>(std::min(kinds_.size(), kKindsMax - 1));
  return kinds_.try_emplace(std::move(devices), number).first->second;
}

Shape Shapes::Of(const Agent& agent, const Resources& free, int16_t kind) {
  Shape shape{.cpus_milli = free.cpus_milli, .mem = free.mem, .kind = kind};
  const auto whole = std::min<size_t>(
      kDevicesMax, free.gpu_ids.size() + static_cast<size_t>(std::max(free.gpus, 0)));
  std::fill_n(shape.free.begin(), whole, static_cast<int16_t>(kWhole));
  size_t seen = whole;
  for (const GpuShare& share : free.gpu_shares) {
    if (seen < kDevicesMax)
      shape.free[seen++] = static_cast<int16_t>(std::min(share.milli, kWhole));
  }
  std::sort(shape.free.begin(), shape.free.end(), std::greater<>());
  shape.devices =
      static_cast<int16_t>(std::clamp<size_t>(agent.gpus.size(), seen, size_t{kDevicesMax}));
  return shape;
}

uint64_t Shapes::KindsFor(const GpuRequest& request) const {
  // A count of devices without names says nothing of models: it serves whoever asks for none.
  if (!request.Particular()) return ~0ULL;
  uint64_t kinds = 1ULL << (kKindsMax - 1);
  for (const auto& [devices, number] : kinds_) {
    const bool open = std::any_of(devices.begin(), devices.end(), [&](const auto& device) {
      const auto& [model, memory, mig] = device;
      return mig == request.mig && IsModel(request.model, model) && memory >= request.memory;
    });
    if (open) kinds |= 1ULL << number;
  }
  return kinds;
}

Need Shapes::Of(const Group& group) {
  // Shapes do not show revocable cpus.
  Need need{.cpus_milli = group.revocable ? 0 : group.cpus_milli,
            .mem = group.mem,
            .devices = DevicesOf(group.gpus)};
  if (need.devices == 0) return need;
  if (SharesDevice(group)) need.milli = MilliOf(group.gpus);
  const auto [found, created] =
      open_.try_emplace({group.gpus.model, group.gpus.memory, group.gpus.mig});
  if (created) found->second = KindsFor(group.gpus);
  need.kinds = found->second;
  return need;
}

}  // namespace kiln::scheduler
