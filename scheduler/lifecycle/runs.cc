#include "scheduler/lifecycle/runs.h"

#include <algorithm>

namespace kiln::scheduler {
namespace {

void TellMember(const Task& newest, Member& member) {
  member.attempts = newest.attempt + 1;
  member.failures = newest.failures + (newest.charge == Charge::kJob ? 1 : 0);
  member.evictions = newest.evictions + (newest.preempted_by.empty() ? 0 : 1);
  member.losses = newest.charge == Charge::kCluster ? 1 : 0;
  if (!IsTerminal(newest.state)) {
    if (!GivenUp(newest)) member.live = &newest;
  } else {
    member.finished = newest.state == TaskState::kFinished;
  }
}

}  // namespace

int GroupIndex(const Job& job, const std::string& group) {
  for (size_t i = 0; i < job.groups.size(); ++i) {
    if (job.groups[i].name == group) return static_cast<int>(i);
  }
  return -1;
}

JobRun Derive(const Job& job, const std::vector<const Task*>& tasks) {
  JobRun run;
  for (const Group& group : job.groups) {
    run.groups.emplace_back().members.resize(static_cast<size_t>(group.count));
  }
  std::vector<const Task*> ordered = tasks;
  std::sort(ordered.begin(), ordered.end(), [](const Task* a, const Task* b) {
    return std::tie(a->member, a->attempt) < std::tie(b->member, b->attempt);
  });
  for (size_t i = 0; i < ordered.size(); ++i) {
    const Task& task = *ordered[i];
    if (!IsTerminal(task.state)) run.live.insert(task.id);
    const int index = GroupIndex(job, task.member.group);
    if (index < 0 || task.member.index >= job.groups[static_cast<size_t>(index)].count) continue;
    Member& member =
        run.groups[static_cast<size_t>(index)].members[static_cast<size_t>(task.member.index)];
    if (IsTerminal(task.state)) member.ended.push_back(task.id);
    const bool newest = i + 1 == ordered.size() || ordered[i + 1]->member != task.member;
    if (newest) TellMember(task, member);
    const bool lives = newest && !IsTerminal(task.state) && !GivenUp(task);
    if (lives && !task.preempted_by.empty()) ++run.groups[static_cast<size_t>(index)].leaving;
  }
  for (size_t g = 0; g < run.groups.size(); ++g) {
    GroupRun& group = run.groups[g];
    const bool ends = EndsByItself(job.kind);
    for (size_t i = 0; i < group.members.size(); ++i) {
      Member& member = group.members[i];
      member.finished = member.finished && ends;
      if (member.live != nullptr) {
        ++group.live;
      } else if (member.finished) {
        ++group.finished;
      } else {
        group.ready.Insert(static_cast<int>(i));
      }
    }
  }
  return run;
}

}  // namespace kiln::scheduler
