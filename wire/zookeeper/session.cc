#include "wire/zookeeper/session.h"

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <optional>

#include "wire/zookeeper/handle.h"

namespace kiln::wire {
namespace {

// Requests on their way at a time.
constexpr size_t kReadings = 256;

// For one answer that comes on another thread.
class Waiter {
 public:
  static Waiter& Of(const void* context) {
    return *static_cast<Waiter*>(const_cast<void*>(context));
  }
  void Done(int code) {
    const std::lock_guard lock(mutex_);
    code_ = code;
    changed_.notify_all();
  }
  int Wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return code_.has_value(); });
    return *code_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<int> code_;
};

}  // namespace

struct ZookeeperSession::Parts {
  explicit Parts(ZookeeperAddress a) : address(std::move(a)) {}

  std::string PathOf(const std::string& name) const {
    return name.empty() ? address.path : address.path + "/" + name;
  }
  Status Check(int code, const std::string& name) const {
    if (code == ZOK) return {};
    return Failure(ZookeeperError(code, "node " + PathOf(name)));
  }

  const ZookeeperAddress address;
  std::mutex mutex;
  std::condition_variable changed;
  bool connected = false;  // guarded by the mutex
  std::unique_ptr<ZookeeperHandle> handle;
};

ZookeeperSession::ZookeeperSession(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
ZookeeperSession::~ZookeeperSession() = default;

Result<std::unique_ptr<ZookeeperSession>> ZookeeperSession::Open(const ZookeeperAddress& address,
                                                                 Duration session) {
  auto parts = std::make_unique<Parts>(address);
  KILN_TRY(parts->handle, ZookeeperHandle::Open(address, session, [&parts = *parts](int state) {
             const std::lock_guard lock(parts.mutex);
             parts.connected = state == ZOO_CONNECTED_STATE;
             parts.changed.notify_all();
           }));
  std::unique_lock lock(parts->mutex);
  if (!parts->changed.wait_for(lock, session, [&] { return parts->connected; })) {
    return Fail(ErrorCode::kUnavailable, "zookeeper at {} is not reached within {}s",
                address.servers, ToSeconds(session));
  }
  lock.unlock();
  return std::unique_ptr<ZookeeperSession>(new ZookeeperSession(std::move(parts)));
}

Status ZookeeperSession::MakePath() {
  zhandle_t* const handle = parts_->handle->get();
  const std::string& path = parts_->address.path;
  for (size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    const std::string folder = path.substr(0, end);
    const bool last = end == path.npos;
    // Others may have folders of their own beside the last one.
    const ACL_vector* access = last ? AccessOf(parts_->address) : &ZOO_OPEN_ACL_UNSAFE;
    int code = zoo_create(handle, folder.c_str(), nullptr, -1, access, ZOO_PERSISTENT, nullptr, 0);
    // Its parent may be closed and the node there all the same.
    if (code == ZNOAUTH && zoo_exists(handle, folder.c_str(), 0, nullptr) == ZOK) {
      code = ZNODEEXISTS;
    }
    if (code != ZOK && code != ZNODEEXISTS) {
      return Failure(ZookeeperError(code, "node " + folder));
    }
    if (last) return code == ZOK ? Status() : Close(folder);
  }
}

// Whoever may write a folder that is open to all may remove what is in it, whose ever that is.
Status ZookeeperSession::Close(const std::string& folder) {
  if (parts_->address.credentials.empty()) return {};
  zhandle_t* const handle = parts_->handle->get();
  ACL_vector found{};
  Stat stat{};
  const int read = zoo_get_acl(handle, folder.c_str(), &found, &stat);
  const bool open = read == ZOK && found.count == 1 && found.data[0].perms == ZOO_PERM_ALL &&
                    std::strcmp(found.data[0].id.scheme, "world") == 0;
  deallocate_ACL_vector(&found);
  if (!open) return {};
  const int code = zoo_set_acl(handle, folder.c_str(), stat.aversion, AccessOf(parts_->address));
  if (code == ZOK || code == ZBADVERSION) return {};
  return Failure(ZookeeperError(code, "node " + folder));
}

Result<std::string> ZookeeperSession::Create(const std::string& name, const std::string& bytes,
                                             Kind kind) {
  const std::string path = parts_->PathOf(name);
  std::string made(path.size() + 16, '\0');
  const int code = zoo_create(parts_->handle->get(), path.c_str(), bytes.data(),
                              static_cast<int>(bytes.size()), AccessOf(parts_->address),
                              kind == Kind::kLasting ? ZOO_PERSISTENT : ZOO_EPHEMERAL_SEQUENTIAL,
                              made.data(), static_cast<int>(made.size()));
  KILN_TRY_OK(parts_->Check(code, name));
  return std::string(made.c_str() + parts_->address.path.size() + 1);
}

Status ZookeeperSession::Remove(const std::string& name) {
  return parts_->Check(zoo_delete(parts_->handle->get(), parts_->PathOf(name).c_str(), -1), name);
}

Status ZookeeperSession::Do(std::span<const ZookeeperStep> steps) {
  std::vector<zoo_op_t> operations(steps.size());
  std::vector<zoo_op_result_t> results(steps.size());
  std::vector<std::string> paths;
  for (const ZookeeperStep& step : steps) paths.push_back(parts_->PathOf(step.name));
  for (size_t i = 0; i < steps.size(); ++i) {
    const auto& [kind, name, bytes, version] = steps[i];
    const char* path = paths[i].c_str();
    const int size = static_cast<int>(bytes.size());
    switch (kind) {
      case ZookeeperStep::Kind::kCheck:
        zoo_check_op_init(&operations[i], path, version);
        break;
      case ZookeeperStep::Kind::kCreate:
        zoo_create_op_init(&operations[i], path, bytes.data(), size, AccessOf(parts_->address),
                           ZOO_PERSISTENT, nullptr, 0);
        break;
      case ZookeeperStep::Kind::kSet:
        zoo_set_op_init(&operations[i], path, bytes.data(), size, version, nullptr);
        break;
      case ZookeeperStep::Kind::kRemove:
        zoo_delete_op_init(&operations[i], path, version);
        break;
    }
  }
  const int code = zoo_multi(parts_->handle->get(), static_cast<int>(steps.size()),
                             operations.data(), results.data());
  for (size_t i = 0; i < steps.size(); ++i) {
    // Steps that are undone because of another say "runtime inconsistency".
    if (code == ZOK || results[i].err == ZOK || results[i].err == ZRUNTIMEINCONSISTENCY) continue;
    return parts_->Check(results[i].err, steps[i].name);
  }
  return parts_->Check(code, "");
}

Status ZookeeperSession::Sync() {
  Waiter waiter;
  const int code = zoo_async(
      parts_->handle->get(), parts_->address.path.c_str(),
      [](int result, const char*, const void* context) { Waiter::Of(context).Done(result); },
      &waiter);
  return parts_->Check(code == ZOK ? waiter.Wait() : code, "");
}

Result<std::vector<std::string>> ZookeeperSession::Children(const std::string& name) {
  String_vector names{};
  const int code = zoo_get_children(parts_->handle->get(), parts_->PathOf(name).c_str(), 0, &names);
  std::vector<std::string> children;
  if (code == ZOK) children.assign(names.data, names.data + names.count);
  deallocate_String_vector(&names);
  KILN_TRY_OK(parts_->Check(code, name));
  return children;
}

Result<std::vector<ZookeeperNode>> ZookeeperSession::Read(std::span<const std::string> names) {
  struct Reading {
    Waiter waiter;
    ZookeeperNode node;
  };
  const auto done = [](int code, const char* bytes, int size, const Stat* stat,
                       const void* context) {
    auto& reading = *static_cast<Reading*>(const_cast<void*>(context));
    if (code == ZOK) {
      reading.node = {std::string(bytes, static_cast<size_t>(std::max(size, 0))), stat->version};
    }
    reading.waiter.Done(code);
  };
  std::deque<Reading> readings(names.size());
  Status good;
  for (size_t next = 0, oldest = 0; oldest < names.size(); ++oldest) {
    for (; good && next < names.size() && next < oldest + kReadings; ++next) {
      const std::string path = parts_->PathOf(names[next]);
      const int code = zoo_aget(parts_->handle->get(), path.c_str(), 0, done, &readings[next]);
      if (code != ZOK) readings[next].waiter.Done(code);
    }
    if (oldest == next) break;
    const Status read = parts_->Check(readings[oldest].waiter.Wait(), names[oldest]);
    if (good) good = read;
  }
  KILN_TRY_OK(good);
  std::vector<ZookeeperNode> nodes;
  for (Reading& reading : readings) nodes.push_back(std::move(reading.node));
  return nodes;
}

}  // namespace kiln::wire
