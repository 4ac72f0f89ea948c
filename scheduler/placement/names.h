// What agents are called in reasons.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>

#include "model/offer.h"

namespace kiln::scheduler {

// Agents are borrowed.
class Names {
 public:
  void Add(const Agent& agent) {
    const auto [known, is_new] = by_hostname_.try_emplace(agent.hostname, &agent);
    if (!is_new && known->second != nullptr && known->second->id != agent.id) {
      known->second = nullptr;
    }
  }

  // The hostname, or the id where several of those that were added share the hostname.
  const std::string& Of(const Agent& agent) const {
    const auto known = by_hostname_.find(agent.hostname);
    const bool shared = known != by_hostname_.end() && known->second == nullptr;
    return shared || agent.hostname.empty() ? agent.id.text : agent.hostname;
  }

 private:
  std::unordered_map<std::string_view, const Agent*> by_hostname_;  // null: of several
};

}  // namespace kiln::scheduler
