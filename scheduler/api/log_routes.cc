#include <charconv>

#include "scheduler/api/log_tail.h"
#include "scheduler/api/routes.h"
#include "scheduler/api/views.h"

namespace kiln::scheduler {
namespace {

// The task that failed last of a job that failed; else the last attempt of member 0 of the first
// group that has one.
const Task* DefaultTask(const JobRecord& record, const std::vector<const Task*>& tasks) {
  const Task* failed = nullptr;
  for (const Task* task : tasks) {
    if (task->state != TaskState::kFailed) continue;
    if (failed == nullptr || failed->ended < task->ended) failed = task;
  }
  if (record.phase == JobPhase::kFailed && failed != nullptr) return failed;
  for (const Group& group : record.job.groups) {
    const Task* last = nullptr;
    for (const Task* task : tasks) {
      if (task->member.group != group.name) continue;
      if (last == nullptr || task->member.index < last->member.index ||
          (task->member.index == last->member.index && task->attempt > last->attempt)) {
        last = task;
      }
    }
    if (last != nullptr) return last;
  }
  return nullptr;
}

Result<const Task*> ChooseTask(const State& state, const Call& call) {
  const std::string& name = call.at("name");
  const auto record = state.jobs.find(name);
  if (record == state.jobs.end()) {
    return Fail(ErrorCode::kNotFound, "job {} is not known: expected one of those in /v1/jobs",
                name);
  }
  const auto tasks = TasksOf(state, name);
  const auto wanted = call.request().Query("task");
  if (!wanted) {
    const Task* task = DefaultTask(record->second, tasks);
    if (task != nullptr) return task;
    return Fail(ErrorCode::kNotFound,
                "job {} has no task yet: expected one, /v1/jobs/{}/why says what it waits for",
                name, name);
  }
  for (const Task* task : tasks) {
    if (task->id.text == *wanted) return task;
  }
  return Fail(ErrorCode::kNotFound, "job {} has no task {}: expected one of those in its tasks",
              name, *wanted);
}

Result<LogTailOptions> Options(const ApiContext& context, const Call& call) {
  const net::Request& request = call.request();
  LogTailOptions options;
  const std::string file = request.Query("file").value_or("stdout");
  if (file != "stdout" && file != "stderr") {
    return FailField("file", "file is \"{}\": expected stdout or stderr", file);
  }
  if (const auto offset = request.Query("offset")) {
    const char* end = offset->data() + offset->size();
    const auto parsed = std::from_chars(offset->data(), end, options.offset);
    if (parsed.ec != std::errc() || parsed.ptr != end) {
      return FailField("offset", "offset is \"{}\": expected a number of bytes", *offset);
    }
  }
  KILN_TRY(options.follow, call.Flag("follow"));
  KILN_TRY(const Task* task, ChooseTask(context.backend.state(), call));
  KILN_TRY(Backend::Sandbox sandbox, context.backend.FindSandbox(task->id));
  options.task = task->id.text;
  options.agent = sandbox.agent;
  options.hostname = sandbox.hostname;
  options.authorization = sandbox.authorization;
  options.tls = context.options.agent_tls;
  options.path = sandbox.path + "/" + file;
  options.ended = [&context, id = task->id] {
    const auto& tasks = context.backend.state().tasks;
    const auto found = tasks.find(id);
    return found == tasks.end() || IsTerminal(found->second.state);
  };
  return options;
}

}  // namespace

void AddLogRoutes(std::vector<Route>& routes, ApiContext& context) {
  routes.push_back({"GET",
                    "/v1/jobs/{name}/log",
                    "stdout or stderr of a task, by default of the one that failed, or the first "
                    "member's last attempt",
                    [&context](const Call& call) {
                      auto options = Options(context, call);
                      if (!options) return call.AnswerError(options.error());
                      TailLog(context.loop, call.exchange, *std::move(options));
                    },
                    {"task", "file", "offset", "follow"}});
}

}  // namespace kiln::scheduler
