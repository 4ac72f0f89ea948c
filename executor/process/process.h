// A command as a process of its own session.
#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "wire/net/descriptor.h"
#include "wire/net/loop.h"

namespace kiln::executor {

struct ProcessSpec {
  std::string program;            // a path, or a name that PATH of the environment finds
  std::vector<std::string> argv;  // the whole of it, with the program's name first
  std::map<std::string, std::string> environment;  // the whole of it
  std::string directory;                           // empty: that of this process
  std::string stdout_path;                         // appended to; empty: that of this process
  std::string stderr_path;
  std::string user;  // empty: that of this process; another one takes root
};

// A shell's line as a program.
void SetShellLine(ProcessSpec& spec, const std::string& line);

// How a process ended, as waitpid tells.
struct ExitStatus {
  int raw = 0;

  bool ok() const { return raw == 0; }
  // The exit code; -1 when a signal ended it.
  int code() const;
  // "exited with status 3", "terminated with signal Killed", as Mesos says it.
  std::string Text() const;
};

// Threads: the loop's alone. What cannot be started (no such program, no such folder) shows as
// a process that writes why to its stderr and exits with status 1, as under Mesos.
class Process {
 public:
  // kNotFound for an unknown user, kResourceExhausted when there can be no further process.
  // `on_exit` comes once, on the loop, unless the process is destroyed before: when the process has
  // ended and all that it left behind is dead.
  static Result<std::unique_ptr<Process>> Start(net::Loop& loop, ProcessSpec spec,
                                                std::function<void(ExitStatus)> on_exit);
  // Kills what still runs of it.
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  // To the process and all that descend from it, whatever session and parent they have now.
  void Signal(int signal);

 private:
  Process(net::Loop& loop, pid_t supervisor, pid_t pid, net::Descriptor report,
          std::function<void(ExitStatus)> on_exit);
  void Listen();
  void KillRest();

  net::Loop& loop_;
  pid_t supervisor_;  // 0: gone
  pid_t pid_;
  net::Descriptor report_;  // of the supervisor
  std::optional<ExitStatus> status_;
  std::function<void(ExitStatus)> on_exit_;
  net::Handle watch_;
  net::Handle rest_;
};

}  // namespace kiln::executor
