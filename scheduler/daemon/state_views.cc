#include "scheduler/daemon/state_views.h"

#include <algorithm>

namespace kiln::scheduler {

std::vector<AgentView> AgentViews(std::map<AgentId, AgentView> offered, const State& state,
                                  const Levels& topology) {
  std::map<AgentId, AgentView> views = std::move(offered);
  for (const auto& [id, task] : state.tasks) {
    if (IsTerminal(task.state)) continue;
    AgentView& view = views[task.agent];
    const auto agent = state.agents.find(task.agent);
    if (view.agent.id.empty() && agent != state.agents.end()) view.agent = agent->second;
    view.used += task.resources;
    ++view.tasks;
    view.seen = std::max({view.seen, task.launched, task.started});
  }
  for (const auto& [suspect, suspicion] : state.suspicions) {
    AgentView& view = views[suspect.agent];
    if (!view.agent.id.empty()) continue;
    view.agent = {.id = suspect.agent, .hostname = suspicion.hostname};
    view.seen = suspicion.since;
  }
  std::vector<AgentView> list;
  for (auto& [id, view] : views) {
    view.domain = PathOf(view.agent, topology);
    list.push_back(std::move(view));
  }
  return list;
}

}  // namespace kiln::scheduler
