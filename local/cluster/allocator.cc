#include "local/cluster/allocator.h"

#include <algorithm>
#include <tuple>

#include "local/cluster/validation.h"

namespace kiln::local {

using mesos::v1::FrameworkInfo;
using mesos::v1::Resource;
using Capability = FrameworkInfo::Capability;

namespace {

bool Reaches(const Resources& resources, const MinAllocatable& minimum) {
  // Nothing asked for: anything will do.
  if (minimum.empty()) return true;
  return std::any_of(minimum.begin(), minimum.end(), [&](const auto& quantities) {
    return std::all_of(quantities.begin(), quantities.end(), [&](const auto& quantity) {
      return resources.Quantity(quantity.first) >= quantity.second;
    });
  });
}

std::map<std::string, MinAllocatable> MinimaOf(const FrameworkInfo& info) {
  std::map<std::string, MinAllocatable> minima;
  for (const auto& [role, filters] : info.offer_filters()) {
    if (!filters.has_min_allocatable_resources()) continue;
    MinAllocatable& minimum = minima[role];
    for (const auto& entry : filters.min_allocatable_resources().quantities()) {
      std::map<std::string, double>& quantities = minimum.emplace_back();
      for (const auto& [name, scalar] : entry.quantities()) quantities[name] = scalar.value();
    }
  }
  return minima;
}

}  // namespace

void Allocator::SetFramework(const std::string& id, const FrameworkInfo& info,
                             const std::set<std::string>& suppressed,
                             OfferConstraints constraints) {
  Framework& framework = frameworks_[id];
  framework.info = info;
  framework.roles = RolesOf(info);
  framework.suppressed = suppressed;
  framework.constraints = std::move(constraints);
  framework.min_allocatable = MinimaOf(info);
  framework.gpus = HasCapability(info, Capability::GPU_RESOURCES);
  framework.refinement = HasCapability(info, Capability::RESERVATION_REFINEMENT);
  framework.shared = HasCapability(info, Capability::SHARED_RESOURCES);
  framework.revocable = HasCapability(info, Capability::REVOCABLE_RESOURCES);
}

void Allocator::Activate(const std::string& framework_id) {
  frameworks_[framework_id].active = true;
}

void Allocator::Deactivate(const std::string& framework_id) {
  Framework& framework = frameworks_[framework_id];
  framework.active = false;
  framework.filters.clear();
}

void Allocator::RemoveFramework(const std::string& id) { frameworks_.erase(id); }

void Allocator::Suppress(const std::string& framework_id, const std::set<std::string>& roles) {
  Framework& framework = frameworks_[framework_id];
  const std::set<std::string>& chosen = roles.empty() ? framework.roles : roles;
  framework.suppressed.insert(chosen.begin(), chosen.end());
}

void Allocator::Revive(const std::string& framework_id, const std::set<std::string>& roles) {
  Framework& framework = frameworks_[framework_id];
  const std::set<std::string>& chosen = roles.empty() ? framework.roles : roles;
  for (const std::string& role : chosen) framework.suppressed.erase(role);
  std::erase_if(framework.filters,
                [&](const auto& entry) { return chosen.count(entry.first.first) > 0; });
}

const std::set<std::string>& Allocator::Suppressed(const std::string& framework_id) const {
  return frameworks_.at(framework_id).suppressed;
}

void Allocator::AddAgent(const std::string& id, const mesos::v1::AgentInfo& info, Resources total,
                         const std::map<std::string, Resources>& used) {
  Agent& agent = agents_[id];
  agent.info = info;
  agent.has_gpus = total.Quantity("gpus") > 0;
  for (const auto& [name, value] : total.Scalars()) cluster_[name] += value;
  agent.total = std::move(total);
  agent.free = agent.total;
  for (const auto& [framework_id, resources] : used) Take(framework_id, id, resources);
}

void Allocator::RemoveAgent(const std::string& id) {
  auto found = agents_.find(id);
  if (found == agents_.end()) return;
  for (const auto& [name, value] : found->second.total.Scalars()) cluster_[name] -= value;
  agents_.erase(found);
  for (auto& [framework_id, framework] : frameworks_) {
    std::erase_if(framework.filters, [&](const auto& entry) { return entry.first.second == id; });
  }
}

void Allocator::SetAgentActive(const std::string& id, bool active) {
  if (auto found = agents_.find(id); found != agents_.end()) found->second.active = active;
}

void Allocator::Take(const std::string& framework_id, const std::string& agent_id,
                     const Resources& resources) {
  if (auto found = agents_.find(agent_id); found != agents_.end()) {
    found->second.free -= resources.Unallocated();
  }
  Count(framework_id, resources, 1);
}

void Allocator::Recover(const std::string& framework_id, const std::string& agent_id,
                        const Resources& resources, std::optional<Duration> refuse, Instant now) {
  if (resources.empty()) return;
  const Resources unallocated = resources.Unallocated();
  if (auto found = agents_.find(agent_id); found != agents_.end()) {
    found->second.free += unallocated;
  }
  Count(framework_id, resources, -1);
  auto framework = frameworks_.find(framework_id);
  if (!refuse || *refuse <= Duration::zero() || framework == frameworks_.end()) return;
  const std::string& role = resources.items().front().allocation_info().role();
  framework->second.filters[{role, agent_id}].push_back(
      {unallocated, now + std::max(*refuse, options_.allocation_interval)});
}

void Allocator::Count(const std::string& framework_id, const Resources& resources, int sign) {
  for (const Resource& item : resources.items()) {
    if (item.type() != mesos::v1::Value::SCALAR) continue;
    const std::string& role = item.allocation_info().role();
    roles_[role].scalars[item.name()] += sign * item.scalar().value();
    role_frameworks_[{role, framework_id}].scalars[item.name()] += sign * item.scalar().value();
  }
}

std::vector<Allocation> Allocator::Allocate(Instant now, Random& random,
                                            const std::set<std::string>* agents) {
  std::vector<std::string> order;
  for (const auto& [id, agent] : agents_) {
    if (agent.active && !agent.free.empty() && (!agents || agents->count(id))) order.push_back(id);
  }
  // No agent is always the first to be given away.
  for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random.Below(i)]);
  std::vector<Allocation> allocations;
  for (const std::string& id : order) AllocateAgent(id, agents_[id], now, allocations);
  return allocations;
}

void Allocator::AllocateAgent(const std::string& agent_id, Agent& agent, Instant now,
                              std::vector<Allocation>& out) {
  for (const std::string& role : RolesInOrder()) {
    for (const std::string& framework_id : FrameworksInOrder(role)) {
      Framework& framework = frameworks_[framework_id];
      if (agent.has_gpus && options_.filter_gpu_resources && !framework.gpus) continue;
      if (!framework.constraints.Wants(role, agent.info)) continue;
      const Resources resources = Offerable(framework, role, agent);
      if (resources.empty() || !Allocatable(framework, role, resources) ||
          Filtered(framework, role, agent_id, resources, now)) {
        continue;
      }
      Allocation allocation{framework_id, role, agent_id, resources.AllocatedTo(role)};
      Take(framework_id, agent_id, allocation.resources);
      ++roles_[role].served;
      ++role_frameworks_[{role, framework_id}].served;
      out.push_back(std::move(allocation));
    }
  }
}

std::vector<std::string> Allocator::RolesInOrder() const {
  std::set<std::string> names;
  for (const auto& [id, framework] : frameworks_) {
    if (framework.active) names.insert(framework.roles.begin(), framework.roles.end());
  }
  std::vector<std::tuple<double, uint64_t, std::string>> order;
  for (const std::string& name : names) {
    auto sums = roles_.find(name);
    if (sums == roles_.end()) {
      order.emplace_back(0, 0, name);
    } else {
      order.emplace_back(ShareOf(sums->second.scalars), sums->second.served, name);
    }
  }
  std::sort(order.begin(), order.end());
  std::vector<std::string> roles;
  for (auto& entry : order) roles.push_back(std::get<2>(std::move(entry)));
  return roles;
}

std::vector<std::string> Allocator::FrameworksInOrder(const std::string& role) const {
  std::vector<std::tuple<double, uint64_t, std::string>> order;
  for (const auto& [id, framework] : frameworks_) {
    if (!framework.active || !framework.roles.count(role) || framework.suppressed.count(role)) {
      continue;
    }
    auto sums = role_frameworks_.find({role, id});
    if (sums == role_frameworks_.end()) {
      order.emplace_back(0, 0, id);
    } else {
      order.emplace_back(ShareOf(sums->second.scalars), sums->second.served, id);
    }
  }
  std::sort(order.begin(), order.end());
  std::vector<std::string> ids;
  for (auto& entry : order) ids.push_back(std::get<2>(std::move(entry)));
  return ids;
}

double Allocator::ShareOf(const std::map<std::string, double>& scalars) const {
  double share = 0;
  for (const auto& [name, value] : scalars) {
    auto total = cluster_.find(name);
    // Sums of thousandths carry a rounding error that would break ties at random.
    if (total != cluster_.end() && total->second > 0 && value > 1e-6) {
      share = std::max(share, value / total->second);
    }
  }
  return share;
}

Resources Allocator::Offerable(const Framework& framework, const std::string& role,
                               const Agent& agent) const {
  // Ranges and sets first, reservations next, the rest last: the order of a Mesos master.
  auto rank = [](const Resource& item) {
    if (item.type() != mesos::v1::Value::SCALAR) return 0;
    return item.reservations_size() > 0 ? 1 : 2;
  };
  Resources chosen;
  for (int turn = 0; turn < 3; ++turn) {
    for (const Resource& item : agent.free.items()) {
      if (rank(item) != turn || !IsAllocatableTo(item, role)) continue;
      if (item.reservations_size() > 1 && !framework.refinement) continue;
      if (item.has_shared() && !framework.shared) continue;
      if (item.has_revocable() && !framework.revocable) continue;
      chosen += item;
    }
  }
  return chosen;
}

bool Allocator::Allocatable(const Framework& framework, const std::string& role,
                            const Resources& resources) const {
  auto own = framework.min_allocatable.find(role);
  return Reaches(resources,
                 own == framework.min_allocatable.end() ? options_.min_allocatable : own->second);
}

bool Allocator::Filtered(Framework& framework, const std::string& role, const std::string& agent_id,
                         const Resources& resources, Instant now) {
  auto found = framework.filters.find({role, agent_id});
  if (found == framework.filters.end()) return false;
  std::erase_if(found->second, [&](const Filter& filter) { return filter.end <= now; });
  if (found->second.empty()) {
    framework.filters.erase(found);
    return false;
  }
  return std::any_of(found->second.begin(), found->second.end(),
                     [&](const Filter& filter) { return filter.refused.Contains(resources); });
}

size_t Allocator::Filters(const std::string& role, Instant now) const {
  size_t count = 0;
  for (const auto& [id, framework] : frameworks_) {
    for (const auto& [key, filters] : framework.filters) {
      if (key.first != role) continue;
      count += std::count_if(filters.begin(), filters.end(),
                             [&](const Filter& filter) { return filter.end > now; });
    }
  }
  return count;
}

double Allocator::Share(const std::string& role) const {
  auto found = roles_.find(role);
  return found == roles_.end() ? 0 : ShareOf(found->second.scalars);
}

}  // namespace kiln::local
