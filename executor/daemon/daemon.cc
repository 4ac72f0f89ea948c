#include "executor/daemon/daemon.h"

#include <algorithm>
#include <filesystem>

#include "base/log.h"
#include "base/random.h"
#include "proto/mesos/v1/executor.pb.h"
#include "wire/net/http.h"

namespace kiln::executor {
namespace {

using mesos::v1::executor::Call;
using mesos::v1::executor::Event;

Duration GraceOf(const mesos::v1::KillPolicy& policy) {
  return Duration(policy.grace_period().nanoseconds());
}

bool KnowsKilling(const mesos::v1::FrameworkInfo& framework) {
  return std::ranges::any_of(framework.capabilities(), [](const auto& capability) {
    return capability.type() == mesos::v1::FrameworkInfo::Capability::TASK_KILLING_STATE;
  });
}

}  // namespace

Daemon::Daemon(net::Loop& loop, wire::ExecutorEnvironment environment, std::string host,
               std::function<void(int)> on_exit)
    : loop_(loop),
      environment_(std::move(environment)),
      host_(std::move(host)),
      on_exit_(std::move(on_exit)),
      protocol_({environment_.executor_id, environment_.shutdown_grace_period}, RandomSeed()),
      self_(std::make_shared<Daemon*>(this)) {
  client_ = std::make_unique<wire::ExecutorClient>(
      loop_, environment_, wire::Encoding::kProtobuf,
      wire::ExecutorClientCallbacks{[this] { return SubscribeCall(); },
                                    [this](const Event& event) { OnEvent(event); },
                                    [this](const wire::Disconnected& lost) {
                                      LogWarning("agent: {}", lost.why.message);
                                      calls_.clear();
                                      Feed(Disconnected{lost.final});
                                    },
                                    [this](const wire::CallAnswer& answer) { OnAnswer(answer); }});
}

Daemon::~Daemon() { *self_ = nullptr; }

void Daemon::Start() { client_->Start(); }
void Daemon::ShutDown() { Feed(Shutdown{}); }

void Daemon::OnEvent(const Event& event) {
  switch (event.type()) {
    case Event::SUBSCRIBED:
      return Feed(Subscribed{KnowsKilling(event.subscribed().framework_info())});
    case Event::LAUNCH:
      return Feed(Launch{.tasks = std::vector(1, event.launch().task())});
    case Event::LAUNCH_GROUP: {
      const auto& tasks = event.launch_group().task_group().tasks();
      return Feed(Launch{{tasks.begin(), tasks.end()}, true});
    }
    case Event::KILL: {
      Kill kill{event.kill().task_id().value()};
      if (event.kill().kill_policy().has_grace_period()) {
        kill.grace = GraceOf(event.kill().kill_policy());
      }
      return Feed(kill);
    }
    case Event::ACKNOWLEDGED:
      return Feed(
          Acknowledged{event.acknowledged().task_id().value(), event.acknowledged().uuid()});
    case Event::SHUTDOWN:
      return Feed(Shutdown{});
    case Event::ERROR:
      LogError("agent: {}", event.error().message());
      return;
    case Event::MESSAGE:
    case Event::HEARTBEAT:
    case Event::UNKNOWN:
      return;
  }
}

void Daemon::OnAnswer(const wire::CallAnswer& answer) {
  auto found = calls_.find(answer.call);
  if (found == calls_.end()) return;
  std::string task = std::move(found->second);
  calls_.erase(found);
  if (answer.ok() || answer.status == 0) return;
  LogWarning("update of task {} was answered {}: {}", task, answer.status, answer.text);
  if (answer.status >= 500) Feed(UpdateRefused{task});
}

Call::Subscribe Daemon::SubscribeCall() {
  Call::Subscribe call;
  auto subscription = protocol_.Subscribe();
  for (auto& task : subscription.unacknowledged_tasks) {
    *call.add_unacknowledged_tasks() = std::move(task);
  }
  for (auto& status : subscription.unacknowledged_updates) {
    *call.add_unacknowledged_updates()->mutable_status() = std::move(status);
  }
  return call;
}

void Daemon::Feed(const Input& input) {
  Notice(input);
  auto effects = protocol_.On(input, loop_.Now());
  auto self = self_;
  for (const Effect& effect : effects) {
    std::visit([this](const auto& one) { Perform(one); }, effect);
    if (*self == nullptr) return;
  }
  SetTimer();
}

// Once for all that one turn of the loop brings.
void Daemon::SetTimer() {
  if (std::exchange(timer_wanted_, true)) return;
  loop_.Post([self = self_] {
    if (*self != nullptr) (*self)->StartTimer();
  });
}

void Daemon::StartTimer() {
  timer_wanted_ = false;
  const auto next = protocol_.NextTimer();
  if (next == timer_at_) return;
  timer_.Reset();
  timer_at_ = next;
  if (!next) return;
  timer_ = loop_.After(std::max(*next - loop_.Now(), Duration::zero()), [this] {
    timer_at_.reset();
    Feed(TimePassed{});
  });
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

void Daemon::Perform(const SendUpdate& effect) {
  const std::string& task = effect.status.task_id().value();
  LogInfo("task {} {}{}{}", task, mesos::v1::TaskState_Name(effect.status.state()),
          effect.status.has_message() ? ": " : "", effect.status.message());
  Call call;
  call.set_type(Call::UPDATE);
  *call.mutable_update()->mutable_status() = effect.status;
  // Without a stream the update goes into the next subscription.
  if (auto number = client_->Call(std::move(call))) calls_[*number] = task;
}

void Daemon::Perform(const StartWork& effect) {
  const std::string& id = effect.task.task_id().value();
  auto work = WorkOf(effect.task);
  if (!work) return Teller()(EndOf(id, work.error()));
  Runner runner = FindRunner(work->kind_case());
  if (runner == nullptr) {
    return Teller()(
        EndOf(id, {ErrorCode::kUnimplemented,
                   fmt::format("task {}: found work of kind {}, expected one that is known here",
                               id, static_cast<int>(work->kind_case())),
                   {}}));
  }
  const bool shares = !work->gpu().empty();  // its device, and so this executor, with others
  if (work->has_command() && !shares) protocol_.LeaveWhenDone();
  Running& running = running_[id];
  std::string folder = net::PercentEncode(id);
  std::ranges::replace(folder, '/', '_');
  std::string sandbox = environment_.sandbox;
  if (shares) sandbox += "/" + folder;
  std::error_code error;
  std::filesystem::create_directories(sandbox, error);  // a process says what is wrong with it
  const bool watched = effect.task.has_health_check() || effect.task.has_check();
  if (watched) running.task = effect.task;
  if (watched || work->has_command()) {
    running.surroundings = SurroundingsOf(effect.task, *work, sandbox, host_);
    running.surroundings.own_output = shares;
  }
  running.work = runner({&loop_, effect.task, *std::move(work), running.surroundings,
                         environment_.sandbox + "/.work/" + folder, host_, Teller()});
}

void Daemon::Perform(const StopWork& effect) {
  auto found = running_.find(effect.task);
  if (found == running_.end()) return;
  found->second.health.reset();
  found->second.check.reset();
  if (found->second.work) found->second.work->Stop(effect.force);
}

void Daemon::Perform(const Exit& effect) {
  client_->Stop();
  running_.clear();
  on_exit_(effect.code);
}

}  // namespace kiln::executor
