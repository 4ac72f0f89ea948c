#include "executor/daemon/nested.h"

#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "executor/daemon/work.h"

namespace kiln::executor {
namespace {

namespace fs = std::filesystem;
using mesos::v1::ContainerInfo;
using mesos::v1::TaskInfo;
using mesos::v1::Volume;

Failure Cannot(const std::string& what, const fs::path& path, const std::string& why) {
  return Fail(ErrorCode::kUnavailable, "cannot {} {}: {}", what, path.string(), why);
}

bool IsOfParent(const Volume& volume) {
  return volume.source().type() == Volume::Source::SANDBOX_PATH &&
         volume.source().sandbox_path().type() == Volume::Source::SandboxPath::PARENT;
}

Status CheckSupported(const TaskInfo& task) {
  const ContainerInfo& container = task.container();
  if (!task.limits().empty()) {
    return Fail(ErrorCode::kUnavailable,
                "Limits of a task in a group are not supported by this executor");
  }
  if (!container.mesos().has_image() && std::ranges::all_of(container.volumes(), IsOfParent)) {
    return {};
  }
  return Fail(ErrorCode::kUnavailable,
              "Container images, and volumes but those of the parent's sandbox, are not supported "
              "by this executor");
}

bool StaysBelow(const fs::path& path) {
  return !path.empty() && path.is_relative() && std::ranges::count(path, fs::path("..")) == 0;
}

// `path` of the task's sandbox leads to `target` of the executor's.
Status Link(const fs::path& executor_sandbox, const fs::path& target, const fs::path& sandbox,
            const fs::path& path) {
  if (!StaysBelow(target) || !StaysBelow(path)) {
    return Fail(ErrorCode::kUnavailable, "volume {} at {} is not in the sandbox", target.string(),
                path.string());
  }
  std::error_code error;
  const fs::path link = sandbox / path;
  fs::create_directories(executor_sandbox / target, error);
  fs::create_directories(link.parent_path(), error);
  fs::create_symlink(executor_sandbox / target, link, error);
  if (error) return Cannot("link", link, error.message());
  return {};
}

Status LinkVolumes(const fs::path& executor_sandbox, const fs::path& sandbox,
                   const TaskInfo& task) {
  for (const auto& resource : task.resources()) {
    if (!resource.disk().has_volume()) continue;
    const fs::path path = resource.disk().volume().container_path();
    KILN_TRY_OK(Link(executor_sandbox, path, sandbox, path));
  }
  for (const Volume& volume : task.container().volumes()) {
    KILN_TRY_OK(Link(executor_sandbox, volume.source().sandbox_path().path(), sandbox,
                     volume.container_path()));
  }
  return {};
}

// The command's user may write there.
Status GiveToUser(const fs::path& sandbox, const TaskInfo& task) {
  if (!task.command().has_user() || geteuid() != 0) return {};
  const passwd* user = getpwnam(task.command().user().c_str());
  if (user == nullptr) {
    return Fail(ErrorCode::kUnavailable, "user {} is not known here", task.command().user());
  }
  if (chown(sandbox.c_str(), user->pw_uid, user->pw_gid) != 0) {
    return Cannot("chown", sandbox, strerror(errno));
  }
  return {};
}

}  // namespace

Result<v1::Work> NestedWorkOf(const TaskInfo& task) {
  if (!task.has_command()) {
    return Fail(ErrorCode::kUnavailable, "task {}: found no command, expected one in a task group",
                task.task_id().value());
  }
  v1::Work work = CommandWorkOf(task.command());
  for (const auto& uri : task.command().uris()) {
    v1::Uri& each = *work.mutable_command()->add_uris();
    each.set_value(uri.value());
    each.set_executable(uri.executable());
    each.set_extract(uri.extract());
    each.set_output_file(uri.output_file());
  }
  return work;
}

Result<std::string> MakeNestedSandbox(const std::string& executor_sandbox,
                                      const std::string& container, const TaskInfo& task) {
  KILN_TRY_OK(CheckSupported(task));
  const fs::path parent = executor_sandbox;
  const fs::path sandbox = parent / "containers" / container;
  const fs::path link = parent / "tasks" / task.task_id().value();
  std::error_code error;
  fs::create_directories(sandbox, error);
  if (error) return Cannot("make", sandbox, error.message());
  fs::create_directories(link.parent_path(), error);
  fs::remove(link, error);  // of a former task with that id
  fs::create_directory_symlink(fs::path("../containers") / container, link, error);
  if (error) return Cannot("link", link, error.message());
  KILN_TRY_OK(LinkVolumes(parent, sandbox, task));
  KILN_TRY_OK(GiveToUser(sandbox, task));
  return sandbox.string();
}

void AddNestedEnvironment(const TaskInfo& task, const std::string& host,
                          Surroundings& surroundings) {
  auto& environment = surroundings.environment;
  environment["MESOS_SANDBOX"] = surroundings.sandbox;
  environment["MESOS_CONTAINER_IP"] = host;
  if (task.resources_size() > 0) {
    environment["MESOS_ALLOCATION_ROLE"] = task.resources(0).allocation_info().role();
  }
}

}  // namespace kiln::executor
