// Where executors are that kernel work shares.
#pragma once

#include <set>
#include <string>
#include <unordered_map>

#include "model/ids.h"

namespace kiln::scheduler {

// Kernel work of the jobs of one pool on one agent shares one executor.
class WarmExecutors {
 public:
  // Gives whether there was none.
  bool Insert(const AgentId& agent, const std::string& pool) {
    return pools_[agent].insert(pool).second;
  }
  void Erase(const AgentId& agent, const std::string& pool) {
    const auto found = pools_.find(agent);
    if (found == pools_.end()) return;
    found->second.erase(pool);
    if (found->second.empty()) pools_.erase(found);
  }
  // The pools that have one on the agent.
  const std::set<std::string>& On(const AgentId& agent) const {
    static const auto* const none = new std::set<std::string>;
    const auto found = pools_.find(agent);
    return found == pools_.end() ? *none : found->second;
  }

 private:
  std::unordered_map<AgentId, std::set<std::string>> pools_;
};

}  // namespace kiln::scheduler
