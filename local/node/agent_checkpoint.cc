#include "local/node/agent_checkpoint.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>

#include "base/file.h"
#include "base/log.h"

namespace kiln::local {
namespace {

namespace fs = std::filesystem;
using google::protobuf::Message;
using mesos::v1::TaskStatus;

// Journal records: kind, length in four bytes (little endian), message.
constexpr char kTask = 'T';
constexpr char kUpdate = 'U';
constexpr char kAcknowledgement = 'A';  // a TaskStatus with task id and uuid
constexpr char kResource = 'R';
constexpr char kOperation = 'O';
constexpr size_t kHeaderSize = 5;

std::string Record(char kind, const std::string& bytes) {
  std::string record(1, kind);
  for (size_t i = 0; i < 4; ++i) record += static_cast<char>((bytes.size() >> (8 * i)) & 0xff);
  return record + bytes;
}

void MakeFolders(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) LogError("cannot make {}: {}", path, error.message());
}

void WriteMessage(const std::string& path, const Message& message) {
  if (auto written = WriteFile(path, message.SerializeAsString()); !written) {
    LogError("{}", written.error().message);
  }
}

bool ReadMessage(const std::string& path, Message& message) {
  const auto bytes = ReadFile(path);
  return bytes && message.ParseFromString(*bytes);
}

// Calls `take` for every whole record; the length of what was whole. A life that ended in the
// middle of a write leaves a piece behind.
template <typename Take>
size_t ReadJournal(const std::string& bytes, Take take) {
  size_t at = 0;
  while (bytes.size() - at >= kHeaderSize) {
    uint32_t length = 0;
    for (size_t i = 0; i < 4; ++i) {
      length |= static_cast<uint32_t>(static_cast<unsigned char>(bytes[at + 1 + i])) << (8 * i);
    }
    if (bytes.size() - at - kHeaderSize < length) break;
    take(bytes[at], bytes.substr(at + kHeaderSize, length));
    at += kHeaderSize + length;
  }
  return at;
}

void LoadJournal(const std::string& path, RecoveredExecutor& executor) {
  const auto bytes = ReadFile(path);
  if (!bytes) return;
  std::map<std::string, size_t> index;
  const size_t whole = ReadJournal(*bytes, [&](char kind, const std::string& record) {
    if (kind == kTask) {
      RecoveredTask task;
      if (!task.task.ParseFromString(record)) return;
      index[task.task.task_id().value()] = executor.tasks.size();
      executor.tasks.push_back(std::move(task));
      return;
    }
    TaskStatus status;
    if (!status.ParsePartialFromString(record)) return;
    auto found = index.find(status.task_id().value());
    if (found == index.end()) return;
    RecoveredTask& task = executor.tasks[found->second];
    if (kind == kUpdate) task.updates.push_back(status);
    if (kind == kAcknowledgement) task.acknowledged.insert(status.uuid());
  });
  if (whole < bytes->size() && truncate(path.c_str(), static_cast<off_t>(whole)) != 0) {
    LogError("cannot truncate {}: {}", path, strerror(errno));
  }
}

std::vector<fs::path> FoldersIn(const std::string& path) {
  std::vector<fs::path> folders;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(path, ignored)) {
    if (entry.is_directory(ignored) && !entry.is_symlink(ignored)) folders.push_back(entry.path());
  }
  return folders;
}

}  // namespace

AgentCheckpoint::AgentCheckpoint(std::string work_dir)
    : slaves_(work_dir + "/meta/slaves"),
      resources_(work_dir + "/meta/resources"),
      volumes_(work_dir + "/volumes/roles") {}

AgentCheckpoint::~AgentCheckpoint() {
  for (const auto& [id, fd] : journals_) close(fd);
}

std::string AgentCheckpoint::FrameworkFolder(const std::string& framework_id) const {
  return slaves_ + "/" + agent_id_ + "/frameworks/" + framework_id;
}

std::string AgentCheckpoint::ExecutorFolder(const RunKey& key) const {
  return FrameworkFolder(key.framework_id) + "/executors/" + key.executor_id;
}

std::string AgentCheckpoint::Journal(const RunKey& key) const {
  return ExecutorFolder(key) + "/runs/" + key.container_id + "/journal";
}

std::optional<RecoveredAgent> AgentCheckpoint::Load() {
  mesos::v1::AgentInfo info;
  std::error_code missing;
  const std::string latest = fs::read_symlink(slaves_ + "/latest", missing).string();
  if (missing || !ReadMessage(slaves_ + "/" + latest + "/agent.info", info)) return std::nullopt;
  agent_id_ = info.id().value();
  RecoveredAgent state;
  state.id = info.id();
  for (const auto& framework_folder : FoldersIn(slaves_ + "/" + agent_id_ + "/frameworks")) {
    RecoveredFramework framework;
    if (!ReadMessage(framework_folder / "framework.info", framework.info)) continue;
    for (const auto& folder : FoldersIn(framework_folder / "executors")) {
      RecoveredExecutor executor;
      if (!ReadMessage(folder / "executor.info", executor.info)) continue;
      executor.container_id = fs::read_symlink(folder / "runs/latest", missing).string();
      if (missing) continue;
      executor.command = fs::exists(folder / "command", missing);
      LoadJournal(folder / "runs" / executor.container_id / "journal", executor);
      framework.executors.push_back(std::move(executor));
    }
    if (!framework.executors.empty()) state.frameworks.push_back(std::move(framework));
  }
  return state;
}

void AgentCheckpoint::Save(const SaveAgent& action) {
  agent_id_ = action.info.id().value();
  MakeFolders(slaves_ + "/" + agent_id_);
  WriteMessage(slaves_ + "/" + agent_id_ + "/agent.info", action.info);
  std::error_code error;
  fs::remove(slaves_ + "/latest", error);
  fs::create_directory_symlink(agent_id_, slaves_ + "/latest", error);
  if (error) LogError("cannot link {}/latest: {}", slaves_, error.message());
}

void AgentCheckpoint::Save(const SaveFramework& action) {
  const std::string folder = FrameworkFolder(action.framework.id().value());
  MakeFolders(folder);
  WriteMessage(folder + "/framework.info", action.framework);
}

void AgentCheckpoint::Save(const SaveExecutor& action) {
  const std::string folder = ExecutorFolder(action.key);
  MakeFolders(folder + "/runs/" + action.key.container_id);
  WriteMessage(folder + "/executor.info", action.executor);
  if (action.command) std::ofstream(folder + "/command");
  std::error_code error;
  fs::remove(folder + "/runs/latest", error);
  fs::create_directory_symlink(action.key.container_id, folder + "/runs/latest", error);
  if (error) LogError("cannot link {}/runs/latest: {}", folder, error.message());
}

void AgentCheckpoint::Append(const RunKey& key, char kind, const std::string& bytes) {
  int& fd = journals_.try_emplace(key.container_id, -1).first->second;
  if (fd < 0) {
    fd = open(Journal(key).c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  }
  const std::string record = Record(kind, bytes);
  if (write(fd, record.data(), record.size()) != static_cast<ssize_t>(record.size())) {
    LogError("{}", FileError("write", Journal(key), errno).message);
  }
}

void AgentCheckpoint::Save(const SaveTask& action) {
  Append(action.key, kTask, action.task.SerializeAsString());
}

void AgentCheckpoint::Save(const SaveUpdate& action) {
  Append(action.key, kUpdate, action.status.SerializeAsString());
}

void AgentCheckpoint::Save(const SaveAcknowledgement& action) {
  TaskStatus status;
  status.mutable_task_id()->set_value(action.task_id);
  status.set_uuid(action.uuid);
  Append(action.key, kAcknowledgement, status.SerializePartialAsString());
}

void AgentCheckpoint::Save(const SaveEnd& action) {
  auto found = journals_.find(action.key.container_id);
  if (found != journals_.end()) {
    close(found->second);
    journals_.erase(found);
  }
  std::error_code ignored;
  fs::remove_all(ExecutorFolder(action.key), ignored);
  const std::string framework = FrameworkFolder(action.key.framework_id);
  // Fails as long as there is another executor.
  if (fs::remove(framework + "/executors", ignored)) fs::remove_all(framework, ignored);
}

std::string AgentCheckpoint::VolumeFolder(const mesos::v1::Resource& volume) const {
  std::string role = volume.reservations().rbegin()->role();
  // A role below another one is no folder in its folder.
  std::replace(role.begin(), role.end(), '/', ' ');
  return volumes_ + "/" + role + "/" + volume.disk().persistence().id();
}

void AgentCheckpoint::Save(const SaveResources& action) {
  std::string bytes;
  std::set<std::string> kept;
  for (const auto& resource : action.resources) {
    bytes += Record(kResource, resource.SerializeAsString());
    if (!resource.disk().has_persistence()) continue;
    kept.insert(VolumeFolder(resource));
    MakeFolders(VolumeFolder(resource));
  }
  for (const auto& operation : action.operations) {
    bytes += Record(kOperation, operation.SerializeAsString());
  }
  MakeFolders(fs::path(resources_).parent_path());
  if (auto written = WriteFile(resources_, bytes); !written) {
    LogError("{}", written.error().message);
    return;
  }
  std::error_code error;
  for (const auto& role : FoldersIn(volumes_)) {
    for (const auto& folder : FoldersIn(role)) {
      if (!kept.contains(folder)) fs::remove_all(folder, error);
      if (error) LogError("cannot remove {}: {}", folder.string(), error.message());
    }
  }
}

SaveResources AgentCheckpoint::LoadResources() const {
  SaveResources saved;
  const auto bytes = ReadFile(resources_);
  if (!bytes) return saved;
  ReadJournal(*bytes, [&](char kind, const std::string& record) {
    if (kind == kResource) saved.resources.emplace_back().ParseFromString(record);
    if (kind == kOperation) saved.operations.emplace_back().ParseFromString(record);
  });
  return saved;
}

int SavedAgentPort(const std::string& work_dir) {
  mesos::v1::AgentInfo info;
  return ReadMessage(work_dir + "/meta/slaves/latest/agent.info", info) ? info.port() : 0;
}

void AgentCheckpoint::Forget() {
  std::error_code ignored;
  fs::remove(slaves_ + "/latest", ignored);
}

}  // namespace kiln::local
