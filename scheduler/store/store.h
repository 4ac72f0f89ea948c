// Where the scheduler's state lasts.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "wire/zookeeper/address.h"

namespace kiln::scheduler {

// Counts the commits of a store; 0 before the first.
using Revision = uint64_t;

// One record written, or removed when it has no bytes.
struct Change {
  std::string kind;  // "job", "task", ...
  std::string key;   // its name among its kind
  std::optional<std::string> bytes;
};

struct Records {
  Revision revision = 0;
  std::map<std::pair<std::string, std::string>, std::string> bytes;  // by kind and key

  void Apply(Change change);
  bool operator==(const Records&) const = default;
};

// Gets one record in views that last for the call. What it fails with ends the reading.
using TakeRecord =
    std::function<Status(std::string_view kind, std::string_view key, std::string_view bytes)>;

// Threads: one, the loop's. Calls block until the disk has the bytes.
class Store {
 public:
  virtual ~Store() = default;

  // Gives every record, in any order, and then the revision that they are of.
  virtual Result<Revision> Read(const TakeRecord& take) = 0;
  // All changes or none, durable when it returns. kConflict when the store's revision is not
  // `expected`: somebody else wrote. kResourceExhausted when the disk is full.
  virtual Result<Revision> Commit(Revision expected, std::span<const Change> changes) = 0;

  // All that Read gives, as a value.
  Result<Records> Load();
};

// Forgets when it dies: for tests and dry runs.
std::unique_ptr<Store> OpenMemoryStore();

// A file of SQLite, made if it is not there. One process has it open at a time, which holds the
// file PATH.lock; others may read.
// kUnavailable: another has it open. kFailedPrecondition: a newer program made it. kDataLoss: it is
// no state file.
Result<std::unique_ptr<Store>> OpenSqliteStore(const std::string& path);

// When the ZooKeeper store writes what. Its servers take requests of up to 1 MB (jute.maxbuffer),
// and answer a listing in one.
struct ZookeeperStoreLimits {
  size_t node = 512 << 10;      // bytes of a node, and of the pages of one write
  size_t log_entries = 16'384;  // commits that are kept beside the pages
  size_t log_bytes =
      size_t{8} << 20;  // and bytes of them, or a quarter of the pages' if that is more
};

// Nodes below the address's path, made if they are not there. The first Read takes the state over:
// whoever had it before writes and reads no more (kConflict). Nor does who takes it over without
// the node `seat` below that path, if one is named. kUnavailable: no server is reached.
Result<std::unique_ptr<Store>> OpenZookeeperStore(const wire::ZookeeperAddress& address,
                                                  const ZookeeperStoreLimits& limits = {},
                                                  const std::string& seat = "");

}  // namespace kiln::scheduler
