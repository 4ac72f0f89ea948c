#include "wire/zookeeper/handle.h"

#include <cerrno>
#include <cstring>

#ifdef __SANITIZE_ADDRESS__
// The client does not free the steps of a multi whose answer is lost with the connection.
extern "C" const char* __lsan_default_suppressions() { return "leak:zoo_amulti\n"; }
#endif

namespace kiln::wire {

Result<std::unique_ptr<ZookeeperHandle>> ZookeeperHandle::Open(const ZookeeperAddress& address,
                                                               Duration session, OnState on_state) {
  // Its own lines would go to standard error without Kiln's form; what matters comes as a state.
  zoo_set_debug_level(ZooLogLevel{});
  auto opened = std::unique_ptr<ZookeeperHandle>(new ZookeeperHandle(std::move(on_state)));
  const auto watcher = [](zhandle_t*, int type, int state, const char*, void* context) {
    if (type == ZOO_SESSION_EVENT) static_cast<ZookeeperHandle*>(context)->on_state_(state);
  };
  const auto timeout = std::chrono::duration_cast<std::chrono::milliseconds>(session);
  opened->handle_ = zookeeper_init(address.servers.c_str(), watcher,
                                   static_cast<int>(timeout.count()), nullptr, opened.get(), 0);
  if (opened->handle_ == nullptr) {
    return Fail(ErrorCode::kUnavailable, "zookeeper at {} cannot be looked up ({})",
                address.servers, std::strerror(errno));
  }
  // By itself the client looks names up at each look at its socket, while all its calls wait. It
  // goes on to do so when a connection is lost.
  zoo_set_servers_resolution_delay(opened->handle_, -1);
  if (const std::string& who = address.credentials; !who.empty()) {
    zoo_add_auth(opened->handle_, "digest", who.data(), static_cast<int>(who.size()), nullptr,
                 nullptr);
  }
  return opened;
}

ZookeeperHandle::~ZookeeperHandle() {
  if (handle_ != nullptr) zookeeper_close(handle_);
}

const ACL_vector* AccessOf(const ZookeeperAddress& address) {
  return address.credentials.empty() ? &ZOO_OPEN_ACL_UNSAFE : &ZOO_CREATOR_ALL_ACL;
}

Error ZookeeperError(int code, const std::string& what) {
  const auto error = [&](ErrorCode kind, const std::string& why) {
    return Error{kind, "zookeeper's " + what + " " + why, {}};
  };
  switch (code) {
    case ZNONODE:
      return error(ErrorCode::kNotFound, "is not there");
    case ZNODEEXISTS:
      return error(ErrorCode::kConflict, "is there already");
    case ZBADVERSION:
      return error(ErrorCode::kFailedPrecondition, "was written by somebody else");
    case ZNOAUTH:
    case ZAUTHFAILED:
      return error(ErrorCode::kPermissionDenied,
                   "is not for these credentials: expected those of its owner");
    case ZCONNECTIONLOSS:
    case ZOPERATIONTIMEOUT:
    case ZSESSIONEXPIRED:
    case ZINVALIDSTATE:
    case ZCLOSING:
      return error(ErrorCode::kUnavailable, fmt::format("is not reached ({})", zerror(code)));
    default:
      return error(ErrorCode::kInternal, fmt::format("cannot be used ({})", zerror(code)));
  }
}

}  // namespace kiln::wire
