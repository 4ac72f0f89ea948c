// Where the scheduler's state lasts.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "base/result.h"

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

  bool operator==(const Records&) const = default;
};

// Threads: one, the loop's. Calls block until the disk has the bytes.
class Store {
 public:
  virtual ~Store() = default;

  virtual Result<Records> Load() = 0;
  // All changes or none, durable when it returns. kConflict when the store's revision is not
  // `expected`: somebody else wrote. kResourceExhausted when the disk is full.
  virtual Result<Revision> Commit(Revision expected, std::span<const Change> changes) = 0;
};

// Forgets when it dies: for tests and dry runs.
std::unique_ptr<Store> OpenMemoryStore();

// A file of SQLite, made if it is not there. One process has it open at a time.
// kUnavailable: another has it open. kFailedPrecondition: a newer program made it. kDataLoss: it is
// no state file.
Result<std::unique_ptr<Store>> OpenSqliteStore(const std::string& path);

}  // namespace kiln::scheduler
