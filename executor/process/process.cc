#include "executor/process/process.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "executor/process/process_tree.h"

namespace kiln::executor {
namespace {

constexpr char kDefaultPath[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

struct Identity {
  bool change = false;
  uid_t user = 0;
  gid_t group = 0;
  std::vector<gid_t> groups;
};

Result<Identity> IdentityOf(const std::string& user) {
  Identity identity;
  if (user.empty()) return identity;
  const passwd* entry = getpwnam(user.c_str());
  if (entry == nullptr) return Fail(ErrorCode::kNotFound, "user {} is not known here", user);
  if (entry->pw_uid == geteuid()) return identity;
  int count = 64;
  identity = {true, entry->pw_uid, entry->pw_gid, std::vector<gid_t>(64)};
  getgrouplist(user.c_str(), entry->pw_gid, identity.groups.data(), &count);
  identity.groups.resize(static_cast<size_t>(std::clamp(count, 0, 64)));
  return identity;
}

// The first executable of that name in PATH; the name itself when there is none.
std::string FindProgram(const ProcessSpec& spec) {
  if (spec.program.find('/') != std::string::npos) return spec.program;
  auto found = spec.environment.find("PATH");
  std::string path = found == spec.environment.end() ? kDefaultPath : found->second;
  for (size_t begin = 0; begin <= path.size();) {
    size_t end = std::min(path.find(':', begin), path.size());
    std::string candidate = path.substr(begin, end - begin) + "/" + spec.program;
    if (access(candidate.c_str(), X_OK) == 0) return candidate;
    begin = end + 1;
  }
  return spec.program;
}

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

// All that the child needs, made before the fork: behind it only calls are safe that take no lock.
struct ChildPlan {
  std::string program, directory, stdout_path, stderr_path;
  std::vector<std::string> argv, environment;
  std::vector<char*> argv_pointers, environment_pointers;
  Identity identity;
  pid_t parent;
};

[[noreturn]] void GiveUp(const char* what, const std::string& name) {
  const char* why = strerrordesc_np(errno);
  for (const char* part : {"cannot ", what, " ", name.c_str(), ": ", why ? why : "error", "\n"}) {
    [[maybe_unused]] ssize_t count = write(STDERR_FILENO, part, std::strlen(part));
  }
  _exit(1);
}

void Redirect(const std::string& path, int target) {
  if (path.empty()) return;
  int file = open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
  if (file < 0 || dup2(file, target) < 0) GiveUp("open", path);
  close(file);
}

// Sockets and files of this process are none of the command's.
void CloseOthers() {
  if (syscall(SYS_close_range, 3u, ~0u, 0u) == 0) return;
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  for (int fd = 3; fd < static_cast<int>(std::min<rlim_t>(limit.rlim_cur, 1 << 20)); ++fd) {
    close(fd);
  }
}

[[noreturn]] void RunChild(const ChildPlan& plan) {
  setsid();
  for (int signal = 1; signal < NSIG; ++signal) ::signal(signal, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  CloseOthers();
  int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  dup2(null, STDIN_FILENO);
  Redirect(plan.stderr_path, STDERR_FILENO);
  Redirect(plan.stdout_path, STDOUT_FILENO);
  const Identity& identity = plan.identity;
  if (identity.change && (setgroups(identity.groups.size(), identity.groups.data()) != 0 ||
                          setgid(identity.group) != 0 || setuid(identity.user) != 0)) {
    GiveUp("become user of", plan.program);
  }
  // A command does not outlive its executor. The executor may be gone before this line.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != plan.parent) _exit(1);
  if (!plan.directory.empty() && chdir(plan.directory.c_str()) != 0) {
    GiveUp("enter", plan.directory);
  }
  execve(plan.program.c_str(), plan.argv_pointers.data(), plan.environment_pointers.data());
  GiveUp("execute", plan.program);
}

}  // namespace

void SetShellLine(ProcessSpec& spec, const std::string& line) {
  spec.program = "/bin/sh";
  spec.argv = {"sh", "-c", line};
}

int ExitStatus::code() const { return WIFEXITED(raw) ? WEXITSTATUS(raw) : -1; }

std::string ExitStatus::Text() const {
  if (WIFEXITED(raw)) return fmt::format("exited with status {}", WEXITSTATUS(raw));
  const char* name = sigdescr_np(WTERMSIG(raw));
  return fmt::format("terminated with signal {}{}", name ? name : std::to_string(WTERMSIG(raw)),
                     WCOREDUMP(raw) ? " (core dumped)" : "");
}

Result<std::unique_ptr<Process>> Process::Start(net::Loop& loop, ProcessSpec spec,
                                                std::function<void(ExitStatus)> on_exit) {
  ChildPlan plan;
  KILN_TRY(plan.identity, IdentityOf(spec.user));
  plan.program = FindProgram(spec);
  plan.directory = std::move(spec.directory);
  plan.stdout_path = std::move(spec.stdout_path);
  plan.stderr_path = std::move(spec.stderr_path);
  plan.argv = std::move(spec.argv);
  for (auto& [name, value] : spec.environment) plan.environment.push_back(name + "=" + value);
  plan.argv_pointers = Pointers(plan.argv);
  plan.environment_pointers = Pointers(plan.environment);
  plan.parent = getpid();

  auto process = std::unique_ptr<Process>(new Process(0, std::move(on_exit)));
  // Watched before the fork, so that no end is missed.
  process->watch_ = loop.OnSignal(SIGCHLD, [self = process.get()] { self->Reap(); });
  // Held until the child has handlers of its own: a signal meant for the command must not run this
  // process's handlers in the child.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pid_t pid = fork();
  if (pid == 0) RunChild(plan);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (pid < 0) {
    return Fail(ErrorCode::kResourceExhausted, "cannot start a process: {}", std::strerror(errno));
  }
  process->pid_ = pid;
  return process;
}

Process::Process(pid_t pid, std::function<void(ExitStatus)> on_exit)
    : pid_(pid), on_exit_(std::move(on_exit)) {}

Process::~Process() {
  if (pid_ <= 0 || ended_) return;
  Signal(SIGKILL);
  waitpid(pid_, nullptr, 0);
}

void Process::Signal(int signal) {
  if (ended_) return;
  for (pid_t pid : ProcessTree(pid_)) kill(pid, signal);
}

void Process::Reap() {
  // Looked at without taking it first: the process keeps its place in /proc, so that those who
  // remain in its session are found.
  siginfo_t info{};
  if (ended_ || waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
      info.si_pid == 0) {
    return;
  }
  Signal(SIGKILL);
  ExitStatus status;
  waitpid(pid_, &status.raw, 0);
  ended_ = true;
  watch_.Reset();
  auto on_exit = std::move(on_exit_);
  on_exit(status);
}

}  // namespace kiln::executor
