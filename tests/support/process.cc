#include "tests/support/process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <thread>

namespace kiln::support {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

TempFolder::TempFolder() {
  std::string name = std::filesystem::temp_directory_path() / "kiln-test-XXXXXX";
  if (mkdtemp(name.data()) == nullptr) std::abort();
  path_ = name;
}

TempFolder::~TempFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

Result<Process> Process::Start(const ProcessOptions& options) {
  const int out = options.output.empty() ? open("/dev/null", O_WRONLY | O_CLOEXEC)
                                         : open(options.output.c_str(),
                                                O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (out < 0)
    return Fail(ErrorCode::kUnavailable, "cannot open {}: {}", options.output, strerror(errno));
  std::vector<char*> argv;
  for (const std::string& argument : options.argv)
    argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const pid_t pid = fork();
  if (pid == 0) {
    for (const auto& [name, value] : options.environment) setenv(name.c_str(), value.c_str(), 1);
    dup2(open("/dev/null", O_RDONLY), STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    dup2(out, STDERR_FILENO);
    execvp(argv[0], argv.data());
    std::fprintf(stderr, "cannot run %s: %s\n", argv[0], strerror(errno));
    _exit(127);
  }
  close(out);
  if (pid < 0) return Fail(ErrorCode::kUnavailable, "cannot fork: {}", strerror(errno));
  return Process(pid);
}

Process::Process(Process&& other) noexcept : pid_(other.pid_), code_(other.code_) {
  other.pid_ = -1;
}

Process& Process::operator=(Process&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(code_, other.code_);
  return *this;
}

Process::~Process() {
  if (pid_ < 0 || code_) return;
  Signal(SIGKILL);
  (void)Wait(std::chrono::seconds(10));
}

void Process::Signal(int signal) const {
  if (pid_ > 0 && !code_) kill(pid_, signal);
}

std::optional<int> Process::Wait(milliseconds deadline) {
  Eventually(
      [&] {
        int status = 0;
        if (!code_ && waitpid(pid_, &status, WNOHANG) == pid_)
          code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        return code_.has_value();
      },
      deadline);
  return code_;
}

void Process::Stop(milliseconds deadline) {
  Signal(SIGTERM);
  if (!Wait(deadline)) Signal(SIGKILL);
  (void)Wait(std::chrono::seconds(10));
}

RunOutcome RunProgram(const std::vector<std::string>& argv,
                      std::map<std::string, std::string> environment, milliseconds deadline) {
  const TempFolder folder;
  auto process = Process::Start({argv, folder.File("output"), std::move(environment)});
  if (!process) return {-1, process.error().message};
  const std::optional<int> code = process->Wait(deadline);
  if (!code) process->Signal(SIGKILL);
  return {code.value_or(-1),
          ReadFile(folder.File("output")) + (code ? "" : "\n(killed at the deadline)")};
}

bool Eventually(const std::function<bool()>& condition, milliseconds deadline) {
  const auto end = steady_clock::now() + deadline;
  for (milliseconds pause(1);; pause = std::min(pause * 2, milliseconds(50))) {
    if (condition()) return true;
    if (steady_clock::now() >= end) return false;
    std::this_thread::sleep_for(pause);
  }
}

std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

int64_t ResidentBytes(pid_t pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/statm");
  int64_t total = 0, resident = 0;
  in >> total >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

}  // namespace kiln::support
