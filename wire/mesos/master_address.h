// Where a master is, from the node that it keeps in ZooKeeper while it leads or is ready to.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace kiln::wire {

struct MasterPlace {
  std::string address;  // "host:port"
  std::string name;     // its hostname; may be empty

  bool operator==(const MasterPlace&) const = default;
};

// The node's name tells what is in it: MasterInfo as JSON ("json.info_0000000012"),
// the same in binary ("info_0000000012"), or the master's pid ("0000000012"). The IP address goes
// before the hostname, as with Mesos's own clients: the name need not be known where Kiln runs.
Result<MasterPlace> MasterAddress(std::string_view node, std::string_view content);

}  // namespace kiln::wire
