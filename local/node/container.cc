#include "local/node/container.h"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/file.h"
#include "base/log.h"
#include "local/node/container_fetcher.h"

namespace kiln::local {

namespace fs = std::filesystem;

namespace {

// What was fetched belongs to whom the executor runs as.
void GiveAllTo(const std::string& user, const std::string& directory) {
  const auto ids = FindUser(user);
  if (!ids) return;  // the start will say so
  std::error_code ignored;
  for (const auto& entry : fs::recursive_directory_iterator(directory, ignored)) {
    if (lchown(entry.path().c_str(), ids->uid, ids->gid) != 0) {
      LogWarning("cannot give {} to {}", entry.path().string(), user);
    }
  }
}

}  // namespace

struct Containers::Container {
  ContainerSpec spec;
  Cgroup group;
  pid_t pid = 0;
  int pid_descriptor = -1;
  int memory_descriptor = -1;
  net::Handle exit_watch;
  net::Handle memory_watch;
  bool destroyed = false;
  bool out_of_memory = false;

  ~Container() {
    exit_watch.Reset();
    memory_watch.Reset();
    if (pid_descriptor >= 0) close(pid_descriptor);
    if (memory_descriptor >= 0) close(memory_descriptor);
  }
};

Containers::Containers(net::Loop& loop, std::string run_folder, bool cgroups,
                       ContainerCallbacks callbacks)
    : loop_(loop), run_folder_(std::move(run_folder)), callbacks_(std::move(callbacks)) {
  std::error_code ignored;
  fs::create_directories(run_folder_, ignored);
  if (cgroups) cgroups_ = Cgroups::Open(fmt::format("kiln-{}", getpid()));
}

Containers::~Containers() = default;

void Containers::Post(std::function<void()> function) {
  loop_.Post([alive = std::weak_ptr<bool>(alive_), function = std::move(function)] {
    if (alive.lock()) function();
  });
}

std::string Containers::FileOf(const std::string& container_id) const {
  return run_folder_ + "/" + container_id;
}

void Containers::Launch(ContainerSpec spec) {
  const std::string id = spec.key.container_id;
  auto container = std::make_unique<Container>();
  container->spec = std::move(spec);
  const auto uris = container->spec.uris;
  const std::string directory = container->spec.process.directory;
  containers_[id] = std::move(container);
  if (uris.empty()) return Post([this, id] { Start(id); });

  auto fetched = std::make_shared<Status>();
  const auto user = containers_[id]->spec.process.user;
  loop_.Offload(
      [=] {
        *fetched = FetchUris(uris, directory);
        if (user) GiveAllTo(*user, directory);
      },
      [this, alive = std::weak_ptr<bool>(alive_), fetched, id] {
        if (!alive.lock()) return;
        if (*fetched) return Start(id);
        LaunchFailed(id, fmt::format("Failed to fetch all URIs for container '{}': exited with "
                                     "status 1",
                                     id));
      });
}

void Containers::LaunchFailed(const std::string& container_id, const std::string& why) {
  const auto container = std::move(containers_.at(container_id));
  containers_.erase(container_id);
  container->group.Remove();
  LogWarning("container {} was not started: {}", container_id, why);
  callbacks_.failed(container->spec.key, why);
}

void Containers::Start(const std::string& container_id) {
  Container& container = *containers_.at(container_id);
  if (container.destroyed)
    return LaunchFailed(container_id, "Container destroyed during its launch");
  if (cgroups_) {
    auto group = cgroups_->Create(container_id, container.spec.limits);
    if (!group) return LaunchFailed(container_id, group.error().message);
    container.group = *group;
    container.spec.process.join_files = container.group.JoinFiles();
  }
  auto pid = StartProcess(container.spec.process);
  if (!pid) return LaunchFailed(container_id, pid.error().message);
  container.pid = *pid;
  std::ofstream(FileOf(container_id)) << *pid << '\n'
                                      << StartMark(*pid).value_or("-") << '\n'
                                      << container.group.Text() << '\n'
                                      << container.spec.process.directory << '\n';
  auto descriptor = OpenPid(*pid);
  if (!descriptor) {
    KillTree(*pid, container.spec.process.directory);
    return LaunchFailed(container_id, descriptor.error().message);
  }
  Watch(container, *descriptor);
  callbacks_.started(container.spec.key, *pid);
}

void Containers::Watch(Container& container, int pid_descriptor) {
  const std::string id = container.spec.key.container_id;
  container.pid_descriptor = pid_descriptor;
  container.exit_watch = loop_.WatchReadable(pid_descriptor, [this, id] { OnExit(id); });
  if (const auto memory = container.group.WatchMemory()) {
    container.memory_descriptor = *memory;
    container.memory_watch = loop_.WatchReadable(*memory, [this, id] {
      Container& full = *containers_.at(id);
      full.memory_watch.Reset();
      full.out_of_memory = true;
      // The whole container goes, before its executor can tell another story.
      kill(full.pid, SIGKILL);
    });
  }
}

void Containers::Destroy(const std::string& container_id) {
  auto found = containers_.find(container_id);
  if (found == containers_.end()) return;
  Container& container = *found->second;
  container.destroyed = true;
  if (container.pid == 0) return;
  loop_.Offload(
      [pid = container.pid, directory = container.spec.process.directory, group = container.group] {
        KillTree(pid, directory);
        group.Kill();
      },
      [] {});
}

// The process has ended; the rest of its tree is ended before it is told, while the zombie still
// keeps its pid from being used again.
void Containers::OnExit(const std::string& container_id) {
  Container& container = *containers_.at(container_id);
  container.exit_watch.Reset();
  container.memory_watch.Reset();
  loop_.Offload(
      [pid = container.pid, directory = container.spec.process.directory, group = container.group] {
        KillTree(pid, directory);
        group.Kill();
      },
      [this, alive = std::weak_ptr<bool>(alive_), container_id] {
        if (alive.lock()) Finish(container_id);
      });
}

void Containers::Finish(const std::string& container_id) {
  const auto container = std::move(containers_.at(container_id));
  containers_.erase(container_id);
  ContainerEnd end;
  int status = 0;
  if (waitpid(container->pid, &status, WNOHANG) == container->pid) end.status = status;
  if (container->out_of_memory || container->group.OutOfMemory()) {
    constexpr double kMegabyte = 1 << 20;
    end.reason = mesos::v1::TaskStatus::REASON_CONTAINER_LIMITATION_MEMORY;
    end.message = fmt::format("Memory limit exceeded: Requested: {}MB Maximum Used: {}MB",
                              static_cast<double>(container->spec.limits.memory) / kMegabyte,
                              static_cast<double>(container->group.MemoryMax()) / kMegabyte);
  }
  container->group.Remove();
  std::error_code ignored;
  fs::remove(FileOf(container_id), ignored);
  callbacks_.ended(container->spec.key, end);
}

void Containers::Update(const std::string& container_id, const CgroupLimits& limits) {
  auto found = containers_.find(container_id);
  if (found == containers_.end()) return;
  Container& container = *found->second;
  container.spec.limits.cpus = limits.cpus;
  container.spec.limits.cpus_quota = limits.cpus_quota;
  // As Mesos: memory that may be in use is never taken away.
  container.spec.limits.memory = std::max(container.spec.limits.memory, limits.memory);
  if (container.pid == 0 || container.group.empty()) return;
  if (auto set = container.group.SetLimits(container.spec.limits); !set) {
    LogWarning("container {}: {}", container_id, set.error().message);
  }
}

std::optional<ContainerUsage> Containers::Usage(const std::string& container_id) const {
  auto found = containers_.find(container_id);
  if (found == containers_.end() || found->second->pid == 0) return std::nullopt;
  return ContainerUsage{UsageOf(found->second->pid), found->second->spec.limits};
}

namespace {

struct RunFile {
  pid_t pid = 0;
  std::string mark;
  std::string group;
  std::string directory;
};

std::optional<RunFile> ReadRun(const std::string& path) {
  std::ifstream file(path);
  RunFile run;
  if (file >> run.pid >> run.mark >> run.group >> std::ws && std::getline(file, run.directory)) {
    return run;
  }
  return std::nullopt;
}

}  // namespace

std::optional<pid_t> Containers::Attach(const RunKey& key, const std::string& directory) {
  const auto run = ReadRun(FileOf(key.container_id));
  if (!run || StartMark(run->pid) != run->mark) return std::nullopt;
  auto descriptor = OpenPid(run->pid);
  if (!descriptor) return std::nullopt;
  auto container = std::make_unique<Container>();
  container->spec.key = key;
  container->spec.process.directory = directory;
  container->group = Cgroup::FromText(run->group);
  container->pid = run->pid;
  Watch(*container, *descriptor);
  containers_[key.container_id] = std::move(container);
  return run->pid;
}

void Containers::EndStrays() {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(run_folder_, ignored)) {
    if (containers_.contains(entry.path().filename())) continue;
    const auto run = ReadRun(entry.path());
    fs::remove(entry.path(), ignored);
    if (!run) continue;
    const bool lives = StartMark(run->pid) == run->mark;
    loop_.Offload(
        [run = *run, lives] {
          if (lives) KillTree(run.pid, run.directory);
          const Cgroup group = Cgroup::FromText(run.group);
          group.Kill();
          group.Remove();
          waitpid(run.pid, nullptr, WNOHANG);
        },
        [] {});
  }
}

}  // namespace kiln::local
