#include "scheduler/placement/running.h"

#include <algorithm>

namespace kiln::scheduler {

bool IsInGang(const Job& job, const std::string& group) {
  const Group* found = FindGroup(job, group);
  return found != nullptr && IsInGang(job, *found);
}

void Running::Start(const Job& job, const std::string& role, int finished, const Task& task) {
  const auto [entry, created] = jobs_.try_emplace(job.name, RunningJob{&job, role});
  entry->second.finished = finished;
  ++entry->second.tasks;
  ++priorities_[job.role][job.priority];
  agents_[task.agent].push_back({&task, &entry->second, task.kill_wanted});
}

auto Running::Find(const Task& task)
    -> std::pair<Tasks::iterator, std::vector<RunningTask>::iterator> {
  const auto agent = agents_.find(task.agent);
  return {agent, std::find_if(agent->second.begin(), agent->second.end(),
                              [&](const RunningTask& one) { return one.task == &task; })};
}

void Running::Leave(const Task& task) { Find(task).second->leaves = true; }

void Running::End(const Task& task) {
  const auto [agent, held] = Find(task);
  const auto entry = jobs_.find(held->job->job->name);
  const Job& job = *held->job->job;
  std::map<int, int>& counts = priorities_.at(job.role);
  if (--counts.at(job.priority) == 0) counts.erase(job.priority);
  *held = agent->second.back();
  agent->second.pop_back();
  if (agent->second.empty()) agents_.erase(agent);
  if (--entry->second.tasks == 0) jobs_.erase(entry);
}

void Running::Finish(const MemberId& member) {
  const auto entry = jobs_.find(member.job);
  if (entry == jobs_.end() || !IsInGang(*entry->second.job, member.group)) return;
  ++entry->second.finished;
}

std::optional<int> Running::LowestPriority(const std::string& role) const {
  const auto counts = priorities_.find(role);
  if (counts == priorities_.end() || counts->second.empty()) return std::nullopt;
  return counts->second.begin()->first;
}

}  // namespace kiln::scheduler
