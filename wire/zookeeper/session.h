// A session with ZooKeeper for who waits for its answers.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "wire/zookeeper/address.h"

namespace kiln::wire {

struct ZookeeperNode {
  std::string bytes;
  int32_t version = 0;  // counts its writes
};

// One step of several that are done together or not at all.
struct ZookeeperStep {
  enum class Kind { kCheck, kCreate, kSet, kRemove };
  Kind kind;
  std::string name;
  std::string bytes;     // of kCreate and kSet
  int32_t version = -1;  // that the node has to have, but for kCreate; -1: any
};

// Nodes are named by their path below the address's, "" being that itself. With credentials, what
// it makes is for them alone; without, for everybody.
//
// Threads: one. Each call blocks until its answer has come or the connection is lost: kUnavailable,
// and then the call may have been done all the same. An expired session stays so. Else: kNotFound,
// the node is not there; kConflict, it is there already; kFailedPrecondition, it has another
// version; kPermissionDenied, it is not for these credentials.
class ZookeeperSession {
 public:
  enum class Kind {
    kLasting,
    kNumbered,  // gets the next number of its folder, of ten digits, and ends with the session
  };

  // kUnavailable: no server was reached for the length of a session.
  static Result<std::unique_ptr<ZookeeperSession>> Open(
      const ZookeeperAddress& address, Duration session = std::chrono::seconds(10));
  ~ZookeeperSession();

  // Makes the address's path where it is not there. With credentials its last node, but none above
  // it, is closed to others.
  Status MakePath();
  // The name that the node got.
  Result<std::string> Create(const std::string& name, const std::string& bytes,
                             Kind kind = Kind::kLasting);
  Status Remove(const std::string& name);
  // All steps or none. The error is that of the first step that cannot be done.
  Status Do(std::span<const ZookeeperStep> steps);

  // What is read after it is at least as new as what anybody wrote before.
  Status Sync();
  // The names below a node, without that of the node.
  Result<std::vector<std::string>> Children(const std::string& name);
  // All of them, with many requests on their way at a time. The error names the first that fails.
  Result<std::vector<ZookeeperNode>> Read(std::span<const std::string> names);

 private:
  struct Parts;
  explicit ZookeeperSession(std::unique_ptr<Parts> parts);
  Status Close(const std::string& folder);

  std::unique_ptr<Parts> parts_;
};

}  // namespace kiln::wire
