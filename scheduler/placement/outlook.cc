#include "scheduler/placement/outlook.h"

namespace kiln::scheduler {
namespace {

// Who is still there so long after it had to end is not known to end.
constexpr Duration kOverdue = std::chrono::seconds(30);

}  // namespace

std::optional<End> EndOf(const Job& job, const Group& group, Instant start,
                         const Outlook& outlook) {
  if (group.max_completion) return End{start + *group.max_completion + group.kill_grace, true};
  if (!EndsByItself(job.kind) || !outlook.took) return std::nullopt;
  const auto took = outlook.took(group);
  if (!took) return std::nullopt;
  return End{start + *took, false};
}

std::optional<End> EndOf(const RunningTask& running, const Outlook& outlook) {
  const Task& task = *running.task;
  const Job& job = *running.job->job;
  const Group* group = FindGroup(job, task.member.group);
  if (group == nullptr) return std::nullopt;
  std::optional<End> end;
  if (task.kill_wanted && task.kill_sent.nanoseconds > 0) {
    end = End{task.kill_sent + group->kill_grace, true};
  } else {
    const Instant start = task.started.nanoseconds > 0 ? task.started : task.launched;
    end = EndOf(job, *group, start, outlook);
  }
  if (!end || end->at >= outlook.now) return end;
  if (!end->bound || outlook.now - end->at > kOverdue) return std::nullopt;
  return End{outlook.now, true};
}

}  // namespace kiln::scheduler
