// Real processes and folders for tests that span programs: started, waited for with a deadline,
// ended by pid.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace kiln::support {

// A folder of its own under the system's temporary one; removed with all it holds.
class TempFolder {
 public:
  TempFolder();
  ~TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::string File(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

struct ProcessOptions {
  std::vector<std::string> argv;
  std::string output;  // file that standard output and error are appended to
  std::map<std::string, std::string> environment;  // beside this process's own
};

// A child process. Its destruction sends SIGKILL if it still lives.
class Process {
 public:
  static Result<Process> Start(const ProcessOptions& options);
  Process(Process&& other) noexcept;
  Process& operator=(Process&& other) noexcept;
  ~Process();

  pid_t pid() const { return pid_; }
  void Signal(int signal) const;
  // The exit code, or 128 + signal; nothing while it runs at the deadline.
  std::optional<int> Wait(std::chrono::milliseconds deadline);
  // SIGTERM, and SIGKILL after the deadline.
  void Stop(std::chrono::milliseconds deadline = std::chrono::seconds(10));

 private:
  explicit Process(pid_t pid) : pid_(pid) {}
  pid_t pid_ = -1;
  std::optional<int> code_;
};

// Runs to the end; what it printed.
struct RunOutcome {
  int code = 0;
  std::string output;
};
RunOutcome RunProgram(const std::vector<std::string>& argv,
                      std::map<std::string, std::string> environment = {},
                      std::chrono::milliseconds deadline = std::chrono::seconds(60));

// Asks again and again until the answer is true or the deadline has passed; the last answer.
bool Eventually(const std::function<bool()>& condition,
                std::chrono::milliseconds deadline = std::chrono::seconds(60));

std::string ReadFile(const std::filesystem::path& path);
// Resident memory of a process in bytes, from /proc; 0 when it is gone.
int64_t ResidentBytes(pid_t pid);

}  // namespace kiln::support
