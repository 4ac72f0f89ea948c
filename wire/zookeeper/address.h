// Where an ensemble of ZooKeeper servers is, and a node there.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace kiln::wire {

// Of "zk://[user:password@]host:port,host:port/path".
struct ZookeeperAddress {
  std::string servers;      // "host:port,host:port"
  std::string path;         // "/mesos": below the root, without a slash at its end
  std::string credentials;  // "user:password"; empty: none

  std::string Text() const { return "zk://" + servers + path; }  // without the credentials
  bool operator==(const ZookeeperAddress&) const = default;
};

bool IsZookeeperAddress(std::string_view text);
// kInvalidArgument: what is wrong, without the credentials.
Result<ZookeeperAddress> ParseZookeeperAddress(std::string_view text);

}  // namespace kiln::wire
