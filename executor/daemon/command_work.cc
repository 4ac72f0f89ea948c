// A command: its files, then its process.
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <sstream>

#include "base/file.h"
#include "executor/daemon/runners.h"
#include "executor/process/memory_file.h"
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

constexpr Duration kCheckpointPause = std::chrono::seconds(2);  // between two looks

std::string Environment(const WorkContext& context, const std::string& name) {
  const auto found = context.surroundings.environment.find(name);
  return found == context.surroundings.environment.end() ? "" : found->second;
}

// The names of its GPUs that a command has written into the file of KILN_SICK_GPUS.
void AddSickGpus(const WorkContext& context, v1::Report& report) {
  const std::string path = Environment(context, "KILN_SICK_GPUS");
  if (path.empty()) return;
  const auto text = ReadFile(path, kSickGpusMax);
  if (!text) return;
  const std::vector<std::string> own = GpusOf(context.task, context.work);
  std::istringstream words(*text);
  for (std::string name; words >> name;) {
    if (std::find(own.begin(), own.end(), name) != own.end()) report.add_sick_gpus(name);
  }
}

class CommandWork final : public RunningWork {
 public:
  explicit CommandWork(WorkContext context) : context_(std::move(context)) {
    if (const Status written = WriteFiles(); !written) {
      context_.loop->Post([this, alive = alive_, error = written.error()] {
        if (*alive) End(EndOf(context_.id(), error));
      });
      return;
    }
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
  // What is in the work itself. Secrets lie in memory, so that they are gone with this process.
  Status WriteFiles() {
    for (const v1::Secret& secret : context_.work.secrets()) {
      if (secret.file().empty()) continue;
      KILN_TRY(MemoryFile file, MemoryFile::Make(secret.value()));
      if (symlink(file.path().c_str(), PathOf(secret).c_str()) != 0) {
        return Failure(FileError("write", PathOf(secret), errno));
      }
      secrets_.push_back(std::move(file));
    }
    const std::string& authority = context_.work.api_authority();
    if (authority.empty()) return {};
    return WriteFile(AuthorityFile(context_.surroundings.sandbox), authority);
  }
  std::string PathOf(const v1::Secret& secret) const {
    return context_.surroundings.sandbox + "/" + secret.file();
  }

  void FetchFiles() {
    auto result = std::make_shared<Status>();
    auto uris = context_.work.command().uris();
    std::string sandbox = context_.surroundings.sandbox;
    SchedulerApi api = ApiOf(context_.work);
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
    if (context_.surroundings.own_output) {
      spec.stdout_path = context_.surroundings.sandbox + "/stdout";
      spec.stderr_path = context_.surroundings.sandbox + "/stderr";
    }
    auto process = Process::Start(*context_.loop, std::move(spec), [this](ExitStatus status) {
      v1::Report report;
      AddSickGpus(context_, report);
      End({.task = context_.id(),
           .ok = status.ok(),
           .message = "Command " + status.Text(),
           .data = report.SerializeAsString()});
    });
    if (!process) return End(EndOf(context_.id(), process.error()));
    process_ = *std::move(process);
    context_.tell(WorkStarted{context_.id(), {}, static_cast<uint32_t>(process_->pid())});
    LookForCheckpoints();
  }

  // Each time that the file of KILN_CHECKPOINT is another one is a checkpoint.
  void LookForCheckpoints() {
    look_ = context_.loop->After(kCheckpointPause, [this] {
      std::error_code error;
      const auto time =
          std::filesystem::last_write_time(Environment(context_, "KILN_CHECKPOINT"), error);
      if (!error && time != checkpoint_) {
        checkpoint_ = time;
        v1::Report report;
        report.set_checkpoints(++checkpoints_);
        context_.tell(WorkProgress{context_.id(), report.SerializeAsString(), {}});
      }
      LookForCheckpoints();
    });
  }

  void End(WorkEnded end) {
    if (std::exchange(ended_, true)) return;
    // Sandboxes outlive their tasks, and agents show them.
    for (const v1::Secret& secret : context_.work.secrets()) {
      if (!secret.file().empty()) unlink(PathOf(secret).c_str());
    }
    secrets_.clear();
    look_.Reset();
    context_.tell(std::move(end));
  }

  WorkContext context_;
  bool ended_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::vector<MemoryFile> secrets_;
  std::unique_ptr<Process> process_;
  net::Handle look_;
  int64_t checkpoints_ = 0;
  std::filesystem::file_time_type checkpoint_;
};

}  // namespace

std::unique_ptr<RunningWork> RunCommand(WorkContext context) {
  return std::make_unique<CommandWork>(std::move(context));
}

}  // namespace kiln::executor
