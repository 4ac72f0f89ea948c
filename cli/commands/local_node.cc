#include "cli/commands/local_node.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <memory>
#include <optional>
#include <thread>

#include "base/file.h"
#include "base/log.h"
#include "cli/commands/client.h"
#include "cli/commands/local_agents.h"
#include "local/node/node.h"
#include "wire/net/server.h"
#include "wire/rest/json.h"

namespace kiln::cli {
namespace {

using wire::Json;
namespace fs = std::filesystem;

constexpr auto kPoll = std::chrono::milliseconds(20);
constexpr auto kStopTime = std::chrono::seconds(10);  // then SIGKILL
constexpr auto kRestPause = std::chrono::milliseconds(500);
constexpr int kStartsMax = 5;  // in a row that end at once

std::string StateFile(const std::string& dir) { return dir + "/local.json"; }

// The process of the node in this folder, if it lives.
std::optional<pid_t> RunningPid(const std::string& dir) {
  auto text = ReadFile(StateFile(dir));
  if (!text) return std::nullopt;
  auto json = wire::ParseJson(*text);
  if (!json || !json->is_object()) return std::nullopt;
  const pid_t pid = json->value("pid", 0);
  // The number may be another process's by now, or that of one that is dead and not yet waited for.
  const auto stat = ReadFile(fmt::format("/proc/{}/stat", pid));
  const bool runs =
      stat && stat->find(" (kiln") != std::string::npos && stat->find(") Z ") == std::string::npos;
  return runs ? std::optional(pid) : std::nullopt;
}

std::string FolderOfThisProgram() {
  std::error_code error;
  return fs::read_symlink("/proc/self/exe", error).parent_path();
}

std::string LastLine(const std::string& file) {
  std::string text = ReadFile(file).value_or("");
  while (text.ends_with('\n')) text.pop_back();
  return text.substr(text.rfind('\n') + 1);
}

// kiln-scheduler as a child that is started again when it dies, until the end.
class Scheduler {
 public:
  Scheduler(const LocalOptions& options, int master_port)
      : log_(options.dir + "/scheduler.log"), address_(options.dir + "/api") {
    const std::string program = FolderOfThisProgram() + "/kiln-scheduler";
    arguments_ = {program,
                  "--master",
                  fmt::format("127.0.0.1:{}", master_port),
                  "--listen",
                  fmt::format("127.0.0.1:{}", options.api_port),
                  "--state",
                  options.dir + "/state.db",
                  "--address-file",
                  address_};
    if (!options.role.empty()) arguments_.insert(arguments_.end(), {"--role", options.role});
    unlink(address_.c_str());
  }
  ~Scheduler() { Stop(); }

  // `ready` gets the address of the API; `failed` is told when it cannot be started.
  void Start(std::function<void(std::string)> ready, std::function<void()> failed) {
    thread_ = std::thread([this, ready = std::move(ready), failed = std::move(failed)] {
      if (!Supervise(ready)) failed();
    });
  }
  void Stop() {
    stopping_ = true;
    if (thread_.joinable()) thread_.join();
    unlink(address_.c_str());
  }

 private:
  static constexpr size_t kListen = 4;  // the place of the address in arguments_

  bool Supervise(const std::function<void(std::string)>& ready) {
    for (int starts = 0; starts < kStartsMax && !stopping_; ++starts) {
      const pid_t pid = Spawn();
      const auto start = std::chrono::steady_clock::now();
      while (waitpid(pid, nullptr, WNOHANG) == 0) {
        if (stopping_) return End(pid);
        if (auto address = ReadFile(address_); !told_ && address && !address->empty()) {
          told_ = true;
          arguments_[kListen] = *address;  // where it is looked for when it is started again
          ready(*address);
        }
        std::this_thread::sleep_for(kPoll);
      }
      if (!told_) return false;
      if (std::chrono::steady_clock::now() - start > std::chrono::seconds(5)) starts = 0;
      LogWarning("kiln-scheduler ended, it is started again; its log is {}", log_);
      std::this_thread::sleep_for(kRestPause);
    }
    return stopping_;
  }

  // Between fork and exec nothing but system calls: other threads may hold locks.
  pid_t Spawn() {
    std::vector<char*> argv;
    for (std::string& argument : arguments_) argv.push_back(argument.data());
    argv.push_back(nullptr);
    const pid_t pid = fork();
    if (pid != 0) return pid;
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    setpgid(0, 0);  // Ctrl-C is for this program, which ends the scheduler in its turn
    const int log = open(log_.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    execv(argv[0], argv.data());
    constexpr std::string_view kMissing = "it is not there: expected it beside this program\n";
    [[maybe_unused]] auto count = write(log, kMissing.data(), kMissing.size());
    _exit(127);
  }

  bool End(pid_t pid) {
    kill(pid, SIGTERM);
    const auto start = std::chrono::steady_clock::now();
    while (waitpid(pid, nullptr, WNOHANG) == 0) {
      if (std::chrono::steady_clock::now() - start > kStopTime) kill(pid, SIGKILL);
      std::this_thread::sleep_for(kPoll);
    }
    return true;
  }

  const std::string log_;
  const std::string address_;
  std::vector<std::string> arguments_;
  std::atomic<bool> stopping_ = false;
  bool told_ = false;
  std::thread thread_;
};

Status CheckPort(const char* flag, int port) {
  const auto listener = net::Listener::Open("127.0.0.1", port);
  if (listener) return {};
  Error error = listener.error();
  error.message += ", expected a free port or 0";
  return Failure(Within(flag, std::move(error)));
}

// Nothing is made where something is in the way.
Status MakeFolder(const LocalOptions& options) {
  const std::string& dir = options.dir;
  if (auto pid = RunningPid(dir)) {
    return Fail(ErrorCode::kConflict,
                "a local node runs in {} (pid {}): expected none, `kiln local down` ends it", dir,
                *pid);
  }
  KILN_TRY_OK(CheckPort("--port", options.port));
  KILN_TRY_OK(CheckPort("--api-port", options.api_port));
  std::error_code error;
  fs::create_directories(dir, error);
  if (error) return Failure(FileError("make", dir, error.value()));
  return {};
}

}  // namespace

Status RunLocal(const LocalOptions& options, std::function<void(const Json&)> ready) {
  KILN_TRY_OK(MakeFolder(options));
  local::NodeOptions node;
  node.port = options.port;
  node.work_dir = options.dir + "/mesos";
  // A master that does not know its agents from before calls their tasks unknown, and they are
  // started again beside themselves.
  node.master_flags = {"--registry=replicated_log"};
  KILN_TRY(node.agents, LocalAgents(options, FolderOfThisProgram()));
  std::unique_ptr<Scheduler> scheduler;
  std::atomic<bool> failed = false;
  const Status status = local::RunLocalNode(std::move(node), [&](const local::Node& running) {
    const std::string master = fmt::format("127.0.0.1:{}", running.master_port());
    scheduler = std::make_unique<Scheduler>(options, running.master_port());
    scheduler->Start(
        [&options, ready, master](std::string api) {
          const Json state = {{"master", master}, {"api", api}, {"pid", getpid()}};
          if (auto written = WriteFile(StateFile(options.dir), wire::PrettyJson(state)); !written) {
            LogWarning("{}", written.error().message);
          }
          ready(state);
        },
        [&failed] {
          failed = true;
          kill(getpid(), SIGTERM);  // what ends the node
        });
  });
  scheduler.reset();
  unlink(StateFile(options.dir).c_str());
  if (failed) {
    return Fail(ErrorCode::kUnavailable, "kiln-scheduler does not start: {}",
                LastLine(options.dir + "/scheduler.log"));
  }
  return status;
}

Result<Json> RunLocalDetached(const LocalOptions& options) {
  KILN_TRY_OK(MakeFolder(options));
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return Failure(FileError("make", "a pipe", errno));
  const pid_t pid = fork();
  if (pid == 0) {
    close(ends[0]);
    setsid();
    const int log = open((options.dir + "/local.log").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
    const int nothing = open("/dev/null", O_RDONLY);
    dup2(nothing, STDIN_FILENO);
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    auto tell = [end = ends[1]](const Json& json) {
      const std::string text = wire::DumpJson(json);
      [[maybe_unused]] auto count = write(end, text.data(), text.size());
      close(end);
    };
    const Status status = RunLocal(options, tell);
    if (!status) {
      const Error& error = status.error();
      tell({{"error",
             {{"code", ErrorCodeName(error.code)},
              {"message", error.message},
              {"field", error.field}}}});
    }
    _exit(status ? 0 : 1);
  }
  close(ends[1]);
  std::string text;
  char piece[4096];
  for (ssize_t count; (count = read(ends[0], piece, sizeof piece)) > 0;) {
    text.append(piece, static_cast<size_t>(count));
  }
  close(ends[0]);
  auto json = wire::ParseJson(text);
  if (!json) {
    return Fail(ErrorCode::kUnavailable, "the local node ended: its log is {}/local.log",
                options.dir);
  }
  if (auto error = ErrorIn(*json)) return Failure(*std::move(error));
  return json;
}

Status StopLocal(const std::string& dir) {
  const auto pid = RunningPid(dir);
  if (!pid) {
    return Fail(ErrorCode::kNotFound, "no local node runs in {}: expected one of `kiln local up`",
                dir);
  }
  kill(*pid, SIGTERM);
  const auto start = std::chrono::steady_clock::now();
  while (RunningPid(dir) == pid) {
    if (std::chrono::steady_clock::now() - start > std::chrono::seconds(60)) {
      return Fail(ErrorCode::kDeadlineExceeded, "pid {} still runs after 60 s", *pid);
    }
    std::this_thread::sleep_for(kPoll);
  }
  return {};
}

}  // namespace kiln::cli
