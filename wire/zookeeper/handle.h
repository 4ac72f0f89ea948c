// The C client's handle: one session with the ensemble. For this folder alone.
#pragma once

#include <zookeeper/zookeeper.h>

#include <functional>
#include <memory>

#include "base/result.h"
#include "base/time.h"
#include "wire/zookeeper/address.h"

namespace kiln::wire {

// Its destruction ends the session and waits for the client's threads: not on one of those.
class ZookeeperHandle {
 public:
  // Called on a thread of the client with a ZOO_..._STATE, also before Open returns.
  using OnState = std::function<void(int state)>;

  // Blocks while names are looked up, not until a server is reached.
  static Result<std::unique_ptr<ZookeeperHandle>> Open(const ZookeeperAddress& address,
                                                       Duration session, OnState on_state);
  ~ZookeeperHandle();

  zhandle_t* get() const { return handle_; }

 private:
  explicit ZookeeperHandle(OnState on_state) : on_state_(std::move(on_state)) {}

  const OnState on_state_;
  zhandle_t* handle_ = nullptr;
};

// Who may use a node that is made with this address.
const ACL_vector* AccessOf(const ZookeeperAddress& address);

// What a call of the client returned, other than ZOK.
Error ZookeeperError(int code, const std::string& what);

}  // namespace kiln::wire
