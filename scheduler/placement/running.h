// What runs, by agent: whom preemption may have to end.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/indexed_map.h"
#include "model/ids.h"
#include "model/job.h"
#include "model/task.h"

namespace kiln::scheduler {

// In the gang of its job, when that has one.
inline bool IsInGang(const Job& job, const Group& group) {
  return job.gang_members > 0 && group.after.empty();
}
bool IsInGang(const Job& job, const std::string& group);

// A job with tasks that run.
struct RunningJob {
  const Job* job = nullptr;
  std::string role;  // of the offers that it uses
  int finished = 0;  // members of its gang
  int tasks = 0;
};

struct RunningTask {
  const Task* task = nullptr;
  const RunningJob* job = nullptr;
  bool leaves = false;  // it is to be killed
};

// Kept up with each start and end, so that nobody goes over all tasks to find those that matter.
// Jobs and tasks are borrowed from their start to their end. Threads: one at a time.
class Running {
 public:
  // `finished` members of the job's gang need no resources any more.
  void Start(const Job& job, const std::string& role, int finished, const Task& task);
  void End(const Task& task);
  // It is to be killed from here on.
  void Leave(const Task& task);
  // Of a job that has other tasks as well.
  void Finish(const MemberId& member);

  const IndexedMap<AgentId, std::vector<RunningTask>>& Agents() const { return agents_; }
  // Of what runs in the role.
  std::optional<int> LowestPriority(const std::string& role) const;

 private:
  using Tasks = IndexedMap<AgentId, std::vector<RunningTask>>;
  // Requires that it has started.
  std::pair<Tasks::iterator, std::vector<RunningTask>::iterator> Find(const Task& task);

  Tasks agents_;
  std::unordered_map<std::string, RunningJob> jobs_;
  std::map<std::string, std::map<int, int>> priorities_;  // tasks by role and priority
};

}  // namespace kiln::scheduler
