#include "local/node/container_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <thread>

#include "base/file.h"

namespace kiln::local {
namespace {

namespace fs = std::filesystem;

constexpr int kFirstInheritedFd = 3;
constexpr int kGroupsMax = 256;
constexpr std::chrono::milliseconds kKillPause(2);
constexpr int kKillRounds = 500;

// One line of /proc/PID/stat, as far as it is of use.
struct Stat {
  char state = 0;
  int terminal = 0;
  pid_t parent = 0;
  pid_t session = 0;
  uint64_t user_ticks = 0;
  uint64_t system_ticks = 0;
  uint64_t start_ticks = 0;
  uint64_t rss_pages = 0;
};

std::optional<Stat> ReadStat(pid_t pid) {
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  // The name in parentheses may hold anything, blanks and parentheses too.
  const size_t name_end = line.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream fields(line.substr(name_end + 1));
  Stat stat;
  std::string skipped;
  pid_t group = 0;
  fields >> stat.state >> stat.parent >> group >> stat.session >> stat.terminal;
  for (int i = 0; i < 6; ++i) fields >> skipped;  // tpgid to cmajflt
  fields >> stat.user_ticks >> stat.system_ticks;
  for (int i = 0; i < 6; ++i) fields >> skipped;  // cutime to itrealvalue
  fields >> stat.start_ticks >> skipped >> stat.rss_pages;
  if (!fields) return std::nullopt;
  return stat;
}

std::map<pid_t, Stat> AllProcesses() {
  std::map<pid_t, Stat> all;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator("/proc", ignored)) {
    const std::string name = entry.path().filename();
    pid_t pid = 0;
    if (std::from_chars(name.data(), name.data() + name.size(), pid).ec != std::errc()) continue;
    if (auto stat = ReadStat(pid)) all.emplace(pid, *stat);
  }
  return all;
}

// `pid` and everything below it.
std::set<pid_t> Family(const std::map<pid_t, Stat>& all, pid_t pid) {
  std::set<pid_t> family{pid};
  for (size_t before = 0; before != family.size();) {
    before = family.size();
    for (const auto& [other, stat] : all) {
      if (family.contains(stat.parent)) family.insert(other);
    }
  }
  return family;
}

bool WorksIn(pid_t pid, const std::string& directory) {
  std::error_code error;
  const std::string cwd = fs::read_symlink(fmt::format("/proc/{}/cwd", pid), error).string();
  return !error && (cwd == directory || cwd.starts_with(directory + "/"));
}

// Everything of the container that lives. A process that left both family and session still works
// in the sandbox; so does somebody who looks into it, but that one has a terminal.
std::set<pid_t> Members(pid_t pid, const std::string& directory) {
  const auto all = AllProcesses();
  std::set<pid_t> members = Family(all, pid);
  std::set<pid_t> sessions{pid};
  for (const pid_t member : members) {
    auto found = all.find(member);
    if (found != all.end() && found->second.session == member) sessions.insert(member);
  }
  std::set<pid_t> alive;
  for (const auto& [other, stat] : all) {
    if (stat.state == 'Z' || stat.state == 'X' || other == getpid()) continue;
    if (members.contains(other) || sessions.contains(stat.session) ||
        (stat.terminal == 0 && WorksIn(other, directory))) {
      alive.insert(other);
    }
  }
  return alive;
}

std::vector<char*> Pointers(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

// What the child needs, made before fork: it must not allocate.
struct ChildPlan {
  const char* program;
  char** arguments;
  char** environment;
  const char* directory;
  const UserIds* user;
  const std::vector<std::string>* join_files;
  int out;
  int err;
  int held = -1;  // an end of a pipe
};

[[noreturn]] void Die(const char* what) {
  const char* reason = strerrordesc_np(errno);
  for (const char* text : {"Failed to ", what, ": ", reason == nullptr ? "?" : reason, "\n"}) {
    if (write(STDERR_FILENO, text, strlen(text)) < 0) break;
  }
  _exit(1);
}

[[noreturn]] void RunChild(const ChildPlan& plan) {
  setsid();
  dup2(plan.out, STDOUT_FILENO);
  dup2(plan.err, STDERR_FILENO);
  // What the parent waits for goes last.
  dup2(plan.held, kFirstInheritedFd);
  syscall(SYS_close_range, kFirstInheritedFd + 1, ~0U, 0);
  close(kFirstInheritedFd);
  const int null = open("/dev/null", O_RDONLY);
  if (null >= 0) dup2(null, STDIN_FILENO);
  for (const std::string& file : *plan.join_files) {
    const int fd = open(file.c_str(), O_WRONLY);
    if (fd < 0 || write(fd, "0", 1) != 1) Die("join a control group");
    close(fd);
  }
  if (chdir(plan.directory) != 0) Die("enter the sandbox");
  if (plan.user != nullptr && (setgroups(plan.user->groups.size(), plan.user->groups.data()) != 0 ||
                               setgid(plan.user->gid) != 0 || setuid(plan.user->uid) != 0)) {
    Die("switch the user");
  }
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  for (const int number : {SIGPIPE, SIGCHLD, SIGINT, SIGTERM, SIGHUP}) signal(number, SIG_DFL);
  execvpe(plan.program, plan.arguments, plan.environment);
  Die("execute command");
}

int OpenOutput(const std::string& directory, const char* name) {
  return open((directory + "/" + name).c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
}

}  // namespace

Result<UserIds> FindUser(const std::string& name) {
  passwd entry{};
  passwd* found = nullptr;
  std::vector<char> buffer(1 << 14);
  getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
  if (found == nullptr) {
    return Fail(ErrorCode::kNotFound, "Failed to get user information for '{}': No such user",
                name);
  }
  UserIds ids{entry.pw_uid, entry.pw_gid, std::vector<gid_t>(kGroupsMax)};
  auto count = static_cast<int>(ids.groups.size());
  getgrouplist(name.c_str(), entry.pw_gid, ids.groups.data(), &count);
  ids.groups.resize(static_cast<size_t>(std::max(0, std::min(count, kGroupsMax))));
  return ids;
}

Result<pid_t> StartProcess(const ProcessSpec& spec) {
  std::optional<UserIds> user;
  if (spec.user) {
    KILN_TRY(user, FindUser(*spec.user));
  }
  const std::vector<char*> arguments = Pointers(spec.arguments);
  const std::vector<char*> environment = Pointers(spec.environment);
  const int out = OpenOutput(spec.directory, "stdout");
  const int err = OpenOutput(spec.directory, "stderr");
  if (out < 0 || err < 0) {
    const int error = errno;
    if (out >= 0) close(out);
    return Failure(FileError("create", spec.directory + "/stdout", error));
  }
  // The executor opens them again, by name and as its user.
  if (user && (fchown(out, user->uid, user->gid) != 0 || fchown(err, user->uid, user->gid) != 0)) {
    const int error = errno;
    close(out);
    close(err);
    return Failure(FileError("chown", spec.directory + "/stdout", error));
  }
  ChildPlan plan{spec.program.c_str(),
                 const_cast<char**>(arguments.data()),
                 const_cast<char**>(environment.data()),
                 spec.directory.c_str(),
                 user ? &*user : nullptr,
                 &spec.join_files,
                 out,
                 err};
  int ends[2] = {-1, -1};
  const bool piped = pipe2(ends, O_CLOEXEC) == 0;
  plan.held = ends[1];
  const pid_t pid = piped ? fork() : -1;
  const int error = errno;
  if (pid == 0) RunChild(plan);
  for (const int file : {out, err, ends[1]}) close(file);
  // Until nobody holds the other end.
  char none = 0;
  while (pid > 0 && read(ends[0], &none, 1) < 0 && errno == EINTR) continue;
  close(ends[0]);
  if (pid < 0) {
    return Fail(ErrorCode::kResourceExhausted, "Failed to fork: {}", strerror(error));
  }
  return pid;
}

void KillTree(pid_t pid, const std::string& directory) {
  for (int round = 0; round < kKillRounds; ++round) {
    const std::set<pid_t> members = Members(pid, directory);
    if (members.empty()) return;
    // Stopped first, so that none starts another one behind our back.
    for (const pid_t member : members) kill(member, SIGSTOP);
    for (const pid_t member : members) kill(member, SIGKILL);
    std::this_thread::sleep_for(kKillPause);
  }
}

std::optional<std::string> StartMark(pid_t pid) {
  const auto stat = ReadStat(pid);
  if (!stat || stat->state == 'Z' || stat->state == 'X') return std::nullopt;
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string boot;
  std::getline(file, boot);
  return fmt::format("{}@{}", stat->start_ticks, boot);
}

Result<int> OpenPid(pid_t pid) {
  const auto fd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  if (fd < 0) return Fail(ErrorCode::kNotFound, "process {}: {}", pid, strerror(errno));
  return fd;
}

Result<int> RunProgram(const std::vector<std::string>& argv, const std::string& directory,
                       const std::string& output) {
  const std::vector<char*> arguments = Pointers(argv);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addchdir_np(&actions, directory.c_str());
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, output.c_str(),
                                   O_WRONLY | O_CREAT | O_APPEND, 0644);
  posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  pid_t pid = 0;
  const int error =
      posix_spawnp(&pid, argv.front().c_str(), &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    return Fail(ErrorCode::kNotFound, "cannot run {}: {}", argv.front(), strerror(error));
  }
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

ProcessUsage UsageOf(pid_t pid) {
  const auto all = AllProcesses();
  const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  const auto page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  ProcessUsage usage;
  for (const pid_t member : Family(all, pid)) {
    auto found = all.find(member);
    if (found == all.end()) continue;
    usage.user_seconds += static_cast<double>(found->second.user_ticks) / ticks;
    usage.system_seconds += static_cast<double>(found->second.system_ticks) / ticks;
    usage.rss_bytes += found->second.rss_pages * page;
  }
  return usage;
}

}  // namespace kiln::local
