// What a job's members are at, derived from its tasks: the part of the state that is not stored.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/time.h"
#include "model/job.h"
#include "model/task.h"
#include "scheduler/placement/members.h"

namespace kiln::scheduler {

struct Member {
  const Task* live = nullptr;  // its attempt that has not ended, of the state
  bool finished = false;
  int attempts = 0;           // the number of the next
  int failures = 0;           // charged to the job
  int losses = 0;             // in a row, charged to the cluster
  int evictions = 0;          // attempts that were ended for other jobs
  Instant rests_until;        // while it rests
  std::vector<TaskId> ended;  // that are remembered, the oldest first
};

struct GroupRun {
  std::vector<Member> members;
  MemberSet ready;    // may start
  MemberSet resting;  // may start when their rest is over
  int live = 0;
  int leaving = 0;  // of those that live, have to end for other jobs
  int finished = 0;

  bool Finished() const { return finished == static_cast<int>(members.size()); }
};

struct JobRun {
  std::vector<GroupRun> groups;  // in the job's order; none when the job has ended
  std::set<TaskId> live;         // every task that has not ended, replaced ones too
  bool changed = true;           // since it was last seen: groups, or the phase of the job
};

// What the tasks of a job tell of its members. `tasks` are the job's own, in any order, and outlive
// it.
JobRun Derive(const Job& job, const std::vector<const Task*>& tasks);

// A task that was given up while its agent was cut off: its member may have another attempt.
inline bool GivenUp(const Task& task) {
  return !IsTerminal(task.state) && task.charge == Charge::kCluster;
}

// The position of a group in its job; -1 when there is none of that name.
int GroupIndex(const Job& job, const std::string& group);

}  // namespace kiln::scheduler
