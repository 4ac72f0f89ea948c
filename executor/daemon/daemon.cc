#include "executor/daemon/daemon.h"

#include <algorithm>
#include <filesystem>

#include "executor/daemon/nested.h"
#include "wire/net/http.h"

namespace kiln::executor {

namespace {

// A task's name as that of a folder.
std::string FolderOf(const std::string& task) {
  std::string folder = net::PercentEncode(task);
  std::ranges::replace(folder, '/', '_');
  return folder;
}

}  // namespace

Daemon::Daemon(net::Loop& loop, wire::ExecutorEnvironment environment, std::string host,
               std::function<void(int)> on_exit, std::shared_ptr<const net::TlsContext> tls)
    : loop_(loop),
      sandbox_(environment.sandbox),
      host_(std::move(host)),
      on_exit_(std::move(on_exit)),
      self_(std::make_shared<Daemon*>(this)),
      link_(net::World(loop, std::move(tls)), std::move(environment),
            {[this](const StartWork& effect) { Perform(effect); },
             [this](const StopWork& effect) { Perform(effect); },
             [this](const Exit& effect) { Perform(effect); }}) {}

Daemon::~Daemon() { *self_ = nullptr; }

void Daemon::Start() { link_.Start(); }
void Daemon::ShutDown() { Feed(Shutdown{}); }

void Daemon::Feed(const Input& input) {
  Notice(input);
  link_.Feed(input);
}

// What the works themselves say matters here too: who is watched, and who is over.
void Daemon::Notice(const Input& input) {
  if (const auto* started = std::get_if<WorkStarted>(&input)) StartMonitors(started->task);
  if (const auto* ended = std::get_if<WorkEnded>(&input)) running_.erase(ended->task);
}

void Daemon::StartMonitors(const std::string& id) {
  auto found = running_.find(id);
  if (found == running_.end()) return;
  Running& running = found->second;
  auto tell = Teller();
  if (running.task.has_health_check()) {
    running.health =
        std::make_unique<HealthMonitor>(loop_, running.task.health_check(), running.surroundings,
                                        [tell, id](HealthTracker::Verdict verdict) {
                                          tell(WorkHealth{id, verdict.healthy, verdict.kill});
                                        });
  }
  if (running.task.has_check()) {
    running.check =
        std::make_unique<CheckMonitor>(loop_, running.task.check(), running.surroundings,
                                       [tell, id](const mesos::v1::CheckStatusInfo& status) {
                                         tell(WorkChecked{id, status});
                                       });
  }
}

// From any thread: what is told comes in a later turn of the loop, if this still lives then.
std::function<void(Input)> Daemon::Teller() {
  return [loop = &loop_, self = self_](Input input) {
    loop->Post([self, input = std::move(input)] {
      if (*self != nullptr) (*self)->Feed(input);
    });
  };
}

void Daemon::Perform(const StartWork& effect) {
  const std::string& id = effect.task.task_id().value();
  auto work = effect.container.empty() ? WorkOf(effect.task) : NestedWorkOf(effect.task);
  if (!work) return Teller()(EndOf(id, work.error()));
  Runner runner = FindRunner(work->kind_case());
  if (runner == nullptr) {
    return Teller()(
        EndOf(id, {ErrorCode::kUnimplemented,
                   fmt::format("task {}: found work of kind {}, expected one that is known here",
                               id, static_cast<int>(work->kind_case())),
                   {}}));
  }
  if (work->has_command() && work->gpu().empty()) link_.LeaveWhenDone();
  auto prepared = Prepare(effect, *work);
  if (!prepared) {
    WorkEnded end = EndOf(id, prepared.error());
    end.reason = mesos::v1::TaskStatus::REASON_CONTAINER_LAUNCH_FAILED;
    return Teller()(std::move(end));
  }
  Running& running = running_[id] = *std::move(prepared);
  running.work = runner({&loop_, effect.task, *std::move(work), running.surroundings,
                         sandbox_ + "/.work/" + FolderOf(id), host_, Teller()});
}

// The folder of a task, and what its command and its checks see.
Result<Daemon::Running> Daemon::Prepare(const StartWork& effect, const v1::Work& work) {
  Running running;
  const bool shares = !work.gpu().empty();  // its device, and so this executor, with others
  const bool nested = !effect.container.empty();
  std::string sandbox = sandbox_;
  if (shares) sandbox += "/" + FolderOf(effect.task.task_id().value());
  if (nested) {
    KILN_TRY(sandbox, MakeNestedSandbox(sandbox_, effect.container, effect.task));
  }
  std::error_code error;
  std::filesystem::create_directories(sandbox, error);  // a process says what is wrong with it
  const bool watched = effect.task.has_health_check() || effect.task.has_check();
  if (watched) running.task = effect.task;
  if (!watched && !work.has_command()) return running;
  running.surroundings = SurroundingsOf(effect.task, work, sandbox, host_);
  running.surroundings.own_output = shares || nested;
  if (nested) AddNestedEnvironment(effect.task, host_, running.surroundings);
  return running;
}

void Daemon::Perform(const StopWork& effect) {
  auto found = running_.find(effect.task);
  if (found == running_.end()) return;
  found->second.health.reset();
  found->second.check.reset();
  if (found->second.work) found->second.work->Stop(effect.force);
}

void Daemon::Perform(const Exit& effect) {
  link_.Stop();
  running_.clear();
  on_exit_(effect.code);
}

}  // namespace kiln::executor
