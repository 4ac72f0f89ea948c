// Reading along what another one writes to a store.
#pragma once

#include <memory>
#include <vector>

#include "base/result.h"
#include "scheduler/store/store.h"
#include "wire/zookeeper/address.h"

namespace kiln::scheduler {

struct News {
  bool whole = false;           // these are all records, and what was known before is void
  std::vector<Change> changes;  // in their order
};

// Takes nothing over, and writes nothing.
// Threads: one at a time. Calls block.
class StoreFollower {
 public:
  virtual ~StoreFollower() = default;
  // What was written since the last call: after it, what is known is at least as new as the call.
  // kNotFound: there is no state yet. After an error the next call goes on where this one began.
  virtual Result<News> Next() = 0;
  // The next call gives all records.
  virtual void Restart() = 0;
};

// Of OpenZookeeperStore. No server has to be reached yet.
std::unique_ptr<StoreFollower> FollowZookeeperStore(const wire::ZookeeperAddress& address);

}  // namespace kiln::scheduler
