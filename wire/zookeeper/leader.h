// Who leads a group whose members each keep a numbered node while they live.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "wire/zookeeper/address.h"

namespace kiln::net {
class Loop;
}

namespace kiln::wire {

// The node with the lowest number behind its last "_", or alone: "json.info_0000000012". Nodes
// without one ("log_replicas") are no members.
std::optional<std::string> LeaderOf(const std::vector<std::string>& nodes);

struct Leader {
  std::string node;
  std::string content;
  bool own = false;  // this watch's own node

  bool operator==(const Leader&) const = default;
};

// Tells who leads, from the start on and at each change, for as long as it lives: connections that
// are lost are made again, and so are sessions that expire.
//
// Threads: the loop's alone; so do callbacks come. Owner: anybody; the loop outlives it. Its end
// may take as long as it takes to say good-bye to a server that is reached.
class LeaderWatch {
 public:
  // kNotFound: nobody leads. kUnavailable: no server is reached, so nothing is known since.
  // kPermissionDenied: the credentials are not good enough. It goes on after each of them.
  using OnLeader = std::function<void(const Result<Leader>&)>;

  // With `content` it is a member too: it keeps a node with that in the folder, which is there
  // then, and whoever was told that it leads leads until told anything else.
  LeaderWatch(net::Loop& loop, ZookeeperAddress address, OnLeader on_leader,
              Duration session = std::chrono::seconds(10), std::optional<std::string> content = {});
  ~LeaderWatch();

  // Removes the node of a member that is known to have died, before its session ends by itself.
  void Expel(const std::string& node);

 private:
  class Core;
  std::shared_ptr<Core> core_;
};

}  // namespace kiln::wire
