#include "scheduler/placement/topology.h"

#include <algorithm>

namespace kiln::scheduler {

Topology::Topology(const std::vector<Room>& rooms, const std::string& role, Levels levels)
    : levels_(std::move(levels)) {
  for (size_t i = 0; i < rooms.size(); ++i) {
    if (rooms[i].role != role) continue;
    const size_t domain = Locate(*rooms[i].agent);
    domains_[domain].rooms.push_back(i);
  }
}

size_t Topology::Locate(const Agent& agent) {
  size_t at = 0;
  for (size_t i = 0; i < levels_.size(); ++i) {
    const std::string_view name = DomainOf(agent, levels_[i]);
    if (name.empty()) continue;
    const auto level = static_cast<int>(i);
    const auto [found, created] = domains_[at].below.try_emplace({level, name}, domains_.size());
    const size_t next = found->second;
    if (created) domains_.push_back({.level = level, .name = name, .parent = at});
    at = next;
  }
  return at;
}

size_t Topology::Within(size_t domain, int level) const {
  while (domain != 0 && domains_[domain].level != level) domain = domains_[domain].parent;
  return domain;
}

std::vector<size_t> Topology::RoomsOf(size_t domain) const {
  std::vector<size_t> rooms;
  Collect(domain, rooms);
  std::sort(rooms.begin(), rooms.end());
  return rooms;
}

std::vector<size_t> Topology::RoomsAt(int level) const {
  std::vector<size_t> rooms;
  for (size_t domain = 0; domain < domains_.size(); ++domain) {
    if (domains_[domain].level == level) Collect(domain, rooms);
  }
  std::sort(rooms.begin(), rooms.end());
  return rooms;
}

void Topology::Collect(size_t domain, std::vector<size_t>& rooms) const {
  const Domain& from = domains_[domain];
  rooms.insert(rooms.end(), from.rooms.begin(), from.rooms.end());
  for (const auto& [name, below] : from.below) Collect(below, rooms);
}

std::string Topology::NameOf(size_t domain) const {
  const Domain& named = domains_[domain];
  const bool shared = std::any_of(domains_.begin(), domains_.end(), [&](const Domain& other) {
    return &other != &named && other.level == named.level && other.name == named.name;
  });
  if (!shared || named.parent == 0) return std::string(named.name);
  return NameOf(named.parent) + "/" + std::string(named.name);
}

}  // namespace kiln::scheduler
