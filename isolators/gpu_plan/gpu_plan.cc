#include "isolators/gpu_plan/gpu_plan.h"

#include <algorithm>

namespace kiln::isolators {

GpuPlan::GpuPlan(std::vector<GpuDevice> inventory, std::vector<DeviceNumber> control)
    : inventory_(std::move(inventory)), control_(std::move(control)) {}

const GpuDevice* GpuPlan::Find(const GpuId& id) const {
  const auto found = std::find_if(inventory_.begin(), inventory_.end(),
                                  [&](const GpuDevice& device) { return device.id == id; });
  return found == inventory_.end() ? nullptr : &*found;
}

bool GpuPlan::IsFree(const GpuId& id) const {
  return std::none_of(held_.begin(), held_.end(), [&](const auto& entry) {
    return std::find(entry.second.begin(), entry.second.end(), id) != entry.second.end();
  });
}

std::vector<GpuId> GpuPlan::Free() const {
  std::vector<GpuId> free;
  for (const GpuDevice& device : inventory_)
    if (device.healthy && IsFree(device.id)) free.push_back(device.id);
  return free;
}

std::vector<GpuId> GpuPlan::HeldBy(const ContainerId& container) const {
  const auto found = held_.find(container);
  return found == held_.end() ? std::vector<GpuId>{} : found->second;
}

std::set<DeviceNumber> GpuPlan::NodesOf(const std::vector<GpuId>& gpus) const {
  std::set<DeviceNumber> nodes;
  if (!gpus.empty()) nodes.insert(control_.begin(), control_.end());
  for (const GpuId& id : gpus) {
    const GpuDevice* device = Find(id);
    nodes.insert(device->nodes.begin(), device->nodes.end());
  }
  return nodes;
}

DeviceChange GpuPlan::Replace(const ContainerId& container, std::vector<GpuId> held) {
  const std::set<DeviceNumber> before = NodesOf(HeldBy(container));
  const std::set<DeviceNumber> after = NodesOf(held);
  DeviceChange change;
  std::set_difference(before.begin(), before.end(), after.begin(), after.end(),
                      std::back_inserter(change.deny));
  std::set_difference(after.begin(), after.end(), before.begin(), before.end(),
                      std::back_inserter(change.allow));
  held_[container] = std::move(held);
  return change;
}

Result<DeviceChange> GpuPlan::Grant(const ContainerId& container, const std::set<GpuId>& wanted) {
  std::vector<GpuId> next = HeldBy(container);
  std::erase_if(next, [&](const GpuId& id) { return !wanted.contains(id); });
  for (const GpuId& id : wanted) {
    if (std::find(next.begin(), next.end(), id) != next.end()) continue;
    const GpuDevice* device = Find(id);
    if (device == nullptr)
      return Fail(ErrorCode::kNotFound, "GPU {} is not on this agent, which has {} GPUs", id.text,
                  inventory_.size());
    if (!device->healthy)
      return Fail(ErrorCode::kUnavailable, "GPU {} is sick, expected a healthy one", id.text);
    if (!IsFree(id))
      return Fail(ErrorCode::kConflict, "GPU {} is held by another container, expected it free",
                  id.text);
    next.push_back(id);
  }
  return Replace(container, std::move(next));
}

Result<DeviceChange> GpuPlan::GrantCount(const ContainerId& container, int count) {
  std::vector<GpuId> next = HeldBy(container);
  const std::vector<GpuId> free = Free();
  const size_t wanted = static_cast<size_t>(std::max(count, 0));
  if (wanted > next.size() + free.size())
    return Fail(ErrorCode::kUnavailable, "container asks for {} GPUs, {} are free", count,
                next.size() + free.size());
  for (size_t i = 0; next.size() < wanted; ++i) next.push_back(free[i]);
  next.resize(wanted);
  return Replace(container, std::move(next));
}

void GpuPlan::Release(const ContainerId& container) { held_.erase(container); }

DeviceChange GpuPlan::Recover(const ContainerId& container, const std::set<DeviceNumber>& allowed) {
  std::vector<GpuId> held;
  for (const GpuDevice& device : inventory_) {
    const bool whole = std::all_of(device.nodes.begin(), device.nodes.end(),
                                   [&](DeviceNumber node) { return allowed.contains(node); });
    if (whole && IsFree(device.id)) held.push_back(device.id);
  }
  std::set<DeviceNumber> ours(control_.begin(), control_.end());
  for (const GpuDevice& device : inventory_) ours.insert(device.nodes.begin(), device.nodes.end());

  const std::set<DeviceNumber> right = NodesOf(held);
  DeviceChange change;
  for (DeviceNumber node : allowed)
    if (ours.contains(node) && !right.contains(node)) change.deny.push_back(node);
  for (DeviceNumber node : right)
    if (!allowed.contains(node)) change.allow.push_back(node);
  held_[container] = std::move(held);
  return change;
}

}  // namespace kiln::isolators
