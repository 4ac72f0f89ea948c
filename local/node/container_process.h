// Processes of containers: start, end of a whole tree, what the kernel says of one.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace kiln::local {

struct ProcessSpec {
  std::string program;                   // a path, or a name to be found in PATH
  std::vector<std::string> arguments;    // argv, with argv[0]
  std::vector<std::string> environment;  // "NAME=value"
  std::string directory;                 // working directory; stdout and stderr are files in it
  std::optional<std::string> user;
  std::vector<std::string> join_files;  // of control groups
};

// Starts the program as the leader of a session of its own. What goes wrong in the new process
// (a missing program, say) stands in its stderr, and it exits with 1. It holds no file of this
// process when this comes back: a socket that is closed then is closed.
Result<pid_t> StartProcess(const ProcessSpec& spec);

struct UserIds {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;
};
Result<UserIds> FindUser(const std::string& name);

// Kills the process, all that descends from it, their sessions, and whatever works in `directory`,
// until nothing is left. Blocks for as long as that takes; for a pool thread.
void KillTree(pid_t pid, const std::string& directory);

// When the process was started, in the kernel's ticks since boot, with the boot's id: together with
// the pid the name of a process across lives of the agent. None if there is no such process.
std::optional<std::string> StartMark(pid_t pid);

// A descriptor that becomes readable when the process ends; the caller's.
Result<int> OpenPid(pid_t pid);

// Runs a program of the system to its end, its output behind that of `output`. The exit status.
Result<int> RunProgram(const std::vector<std::string>& argv, const std::string& directory,
                       const std::string& output);

struct ProcessUsage {
  double user_seconds = 0;
  double system_seconds = 0;
  uint64_t rss_bytes = 0;
};
// Of the process and all its descendants that live.
ProcessUsage UsageOf(pid_t pid);

}  // namespace kiln::local
