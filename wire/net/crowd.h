// Who has to go when a server has more connections, or holds more bytes for them, than it may.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace kiln::net {

// A connection as it stands.
struct Guest {
  std::string host;     // the peer, without its port
  bool served = false;  // a whole request of it is being answered
  int64_t since = 0;    // when that, or the waiting for a request of it, began; of any clock
  size_t held = 0;      // bytes in memory for it
};

// So many at most make room, by their positions, in this order: those of the host that has the most
// connections, again and again, and of one host those that are not served before those that are,
// and the longest there first. A host is never left with none.
std::vector<size_t> WhoMakesRoom(std::span<const Guest> guests, size_t count);

// Those that hold the most, until the others hold at most `limit` bytes.
std::vector<size_t> WhoHoldsTooMuch(std::span<const Guest> guests, size_t limit);

}  // namespace kiln::net
