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

constexpr Duration kKillPause = std::chrono::milliseconds(2);
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
void CloseFrom(int first) {
  if (syscall(SYS_close_range, static_cast<unsigned>(first), ~0u, 0u) == 0) return;
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  for (int fd = first; fd < static_cast<int>(std::min<rlim_t>(limit.rlim_cur, 1 << 20)); ++fd) {
    close(fd);
  }
}

// A command does not outlive its executor, which may be gone before this line.
void DieWith(pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(1);
}

[[noreturn]] void RunCommand(const ChildPlan& plan, pid_t supervisor) {
  setsid();
  for (int signal = 1; signal < NSIG; ++signal) ::signal(signal, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  CloseFrom(STDERR_FILENO + 1);
  int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  dup2(null, STDIN_FILENO);
  Redirect(plan.stderr_path, STDERR_FILENO);
  Redirect(plan.stdout_path, STDOUT_FILENO);
  const Identity& identity = plan.identity;
  if (identity.change && (setgroups(identity.groups.size(), identity.groups.data()) != 0 ||
                          setgid(identity.group) != 0 || setuid(identity.user) != 0)) {
    GiveUp("become user of", plan.program);
  }
  DieWith(supervisor);
  if (!plan.directory.empty() && chdir(plan.directory.c_str()) != 0) {
    GiveUp("enter", plan.directory);
  }
  execve(plan.program.c_str(), plan.argv_pointers.data(), plan.environment_pointers.data());
  GiveUp("execute", plan.program);
}

void Tell(int report, int number) {
  [[maybe_unused]] ssize_t count = write(report, &number, sizeof(number));
}

// Stands between this process and the command, with all signals blocked: whatever leaves its parent
// or its session becomes a child of this one, and so none is lost. Tells the command's pid, or the
// error of its start below 0, then how it ended, and ends itself when nothing of it is left.
[[noreturn]] void Supervise(const ChildPlan& plan, int report) {
  constexpr int kReport = STDERR_FILENO + 1;
  prctl(PR_SET_NAME, "kiln-command");
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  DieWith(plan.parent);
  if (report != kReport) dup2(report, kReport);
  CloseFrom(kReport + 1);
  const pid_t self = getpid();
  const pid_t command = fork();
  if (command == 0) RunCommand(plan, self);
  Tell(kReport, command > 0 ? command : -errno);
  for (int raw = 0;;) {
    const pid_t ended = wait(&raw);
    if (ended < 0) _exit(0);
    if (ended == command) Tell(kReport, raw);
  }
}

// The next number that a supervisor tells; none when it is gone, or has nothing to tell yet.
std::optional<int> Hear(int report) {
  int number = 0;
  ssize_t count;
  do {
    count = read(report, &number, sizeof(number));
  } while (count < 0 && errno == EINTR);
  return count == sizeof(number) ? std::optional(number) : std::nullopt;
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

  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) {
    return Fail(ErrorCode::kResourceExhausted, "cannot make a pipe: {}", std::strerror(errno));
  }
  net::Descriptor report(ends[0]);
  std::optional<net::Descriptor> other(ends[1]);
  // Held until the child has handlers of its own: a signal meant for the command must not run this
  // process's handlers in the child.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const pid_t supervisor = fork();
  if (supervisor == 0) Supervise(plan, ends[1]);
  int why = errno;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  other.reset();
  if (supervisor > 0) {
    const int told = Hear(report.get()).value_or(-EAGAIN);
    if (told > 0) {
      return std::unique_ptr<Process>(
          new Process(loop, supervisor, told, std::move(report), std::move(on_exit)));
    }
    waitpid(supervisor, nullptr, 0);
    why = -told;
  }
  return Fail(ErrorCode::kResourceExhausted, "cannot start a process: {}", std::strerror(why));
}

Process::Process(net::Loop& loop, pid_t supervisor, pid_t pid, net::Descriptor report,
                 std::function<void(ExitStatus)> on_exit)
    : loop_(loop),
      supervisor_(supervisor),
      pid_(pid),
      report_(std::move(report)),
      on_exit_(std::move(on_exit)),
      watch_(loop_.WatchReadable(report_.get(), [this] { Listen(); })) {}

Process::~Process() {
  while (supervisor_ > 0 && waitpid(supervisor_, nullptr, WNOHANG) == 0) {
    Signal(SIGKILL);
    usleep(kKillPause / std::chrono::microseconds(1));
  }
}

void Process::Signal(int signal) {
  if (supervisor_ <= 0) return;
  for (const pid_t pid : Descendants(supervisor_)) kill(pid, signal);
}

void Process::Listen() {
  if (const auto raw = Hear(report_.get())) {
    status_ = ExitStatus{*raw};
    return KillRest();
  }
  ExitStatus status;
  waitpid(supervisor_, &status.raw, 0);
  supervisor_ = 0;
  watch_.Reset();
  rest_.Reset();
  auto on_exit = std::move(on_exit_);
  on_exit(status_.value_or(status));
}

// Again and again: what is killed may have started others before.
void Process::KillRest() {
  Signal(SIGKILL);
  rest_ = loop_.After(kKillPause, [this] { KillRest(); });
}

}  // namespace kiln::executor
