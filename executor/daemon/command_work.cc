// A command: its files, then its process.
#include <algorithm>
#include <csignal>
#include <sstream>

#include "base/file.h"
#include "executor/daemon/runners.h"
#include "executor/process/uris.h"

namespace kiln::executor {
namespace {

mesos::v1::CommandInfo InfoOf(const v1::Command& command, const mesos::v1::TaskInfo& task) {
  mesos::v1::CommandInfo info;
  info.set_shell(command.shell());
  info.set_value(command.value());
  *info.mutable_arguments() = command.arguments();
  for (const auto& [name, value] : command.environment()) {
    auto* variable = info.mutable_environment()->add_variables();
    variable->set_name(name);
    variable->set_value(value);
  }
  if (task.command().has_user()) info.set_user(task.command().user());
  return info;
}

constexpr uint64_t kSickGpusMax = 1 << 16;  // bytes of the file with their names

// The report of a command that has written names of its GPUs into the file of KILN_SICK_GPUS.
std::string SickGpus(const WorkContext& context) {
  const auto path = context.surroundings.environment.find("KILN_SICK_GPUS");
  if (path == context.surroundings.environment.end()) return "";
  const auto text = ReadFile(path->second, kSickGpusMax);
  if (!text) return "";
  const std::vector<std::string> own = GpusOf(context.task, context.work);
  v1::Report report;
  std::istringstream words(*text);
  for (std::string name; words >> name;) {
    if (std::find(own.begin(), own.end(), name) != own.end()) report.add_sick_gpus(name);
  }
  return report.SerializeAsString();
}

class CommandWork final : public RunningWork {
 public:
  explicit CommandWork(WorkContext context) : context_(std::move(context)) {
    if (context_.work.command().uris().empty()) {
      Start();
    } else {
      FetchFiles();
    }
  }
  ~CommandWork() override { *alive_ = false; }

  void Stop(bool force) override {
    if (process_) return process_->Signal(force ? SIGKILL : SIGTERM);
    End({.task = context_.id(), .message = "Command was stopped before it started"});
  }

 private:
  void FetchFiles() {
    auto result = std::make_shared<Status>();
    auto uris = context_.work.command().uris();
    std::string sandbox = context_.surroundings.sandbox, api = context_.work.api_url();
    context_.loop->Offload(
        [result, uris, sandbox, api] {
          for (const v1::Uri& each : uris) {
            mesos::v1::CommandInfo::URI uri;
            uri.set_value(each.value());
            uri.set_executable(each.executable());
            uri.set_extract(each.extract());
            if (!each.output_file().empty()) uri.set_output_file(each.output_file());
            *result = FetchUri(uri, sandbox, api);
            if (!*result) return;
          }
        },
        [this, alive = alive_, result] {
          if (!*alive || ended_) return;
          if (*result) return Start();
          End({.task = context_.id(),
               .message = "Failed to fetch all URIs: " + result->error().message,
               .reason = mesos::v1::TaskStatus::REASON_CONTAINER_LAUNCH_FAILED});
        });
  }

  void Start() {
    ProcessSpec spec =
        SpecOf(InfoOf(context_.work.command(), context_.task), context_.surroundings);
    auto process = Process::Start(*context_.loop, std::move(spec), [this](ExitStatus status) {
      End({.task = context_.id(),
           .ok = status.ok(),
           .message = "Command " + status.Text(),
           .data = SickGpus(context_)});
    });
    if (!process) return End(EndOf(context_.id(), process.error()));
    process_ = *std::move(process);
    context_.tell(WorkStarted{context_.id(), {}});
  }

  void End(WorkEnded end) {
    if (std::exchange(ended_, true)) return;
    context_.tell(std::move(end));
  }

  WorkContext context_;
  bool ended_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::unique_ptr<Process> process_;
};

}  // namespace

std::unique_ptr<RunningWork> RunCommand(WorkContext context) {
  return std::make_unique<CommandWork>(std::move(context));
}

}  // namespace kiln::executor
