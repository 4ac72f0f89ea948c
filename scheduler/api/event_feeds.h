// Who reads what happens, as it happens.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "scheduler/api/backend.h"
#include "wire/net/loop.h"
#include "wire/net/server.h"

namespace kiln::scheduler {

// Each reader is given what it has not seen, a piece at a time, and the next piece when it has
// taken that: one that does not read costs a piece, and is cut off when what it lacks is kept no
// more. Many readers are served a few at a time, so that the loop goes on between them.
//
// Threads: the loop's alone. Owner: the routes, and whatever waits on the loop for it.
class EventFeeds : public std::enable_shared_from_this<EventFeeds> {
 public:
  static std::shared_ptr<EventFeeds> Open(net::Loop& loop, Backend& backend);

  // The sequence of the newest event; 0 before the first.
  uint64_t last() const { return first_ + texts_.size() - 1; }
  // A stream that has begun gets the events after `seen`, of those that are kept.
  void Add(const std::shared_ptr<net::Exchange>& exchange, uint64_t seen);

 private:
  struct Reader {
    std::shared_ptr<net::Exchange> exchange;
    uint64_t seen = 0;
    bool due = false;  // stands in due_
    bool heartbeat = false;
  };

  explicit EventFeeds(net::Loop& loop) : loop_(loop) {}
  void Begin(uint64_t first);
  void Keep(const Event& event);
  void WakeAll(bool heartbeat);
  void ServeLater();
  void ServeSome();
  void Serve(Reader& reader);

  net::Loop& loop_;
  uint64_t first_ = 1;                          // the sequence of the first text
  std::deque<std::string> texts_;               // of the events that are kept
  std::vector<std::weak_ptr<Reader>> readers_;  // whom their connections own
  std::deque<std::weak_ptr<Reader>> due_;
  std::shared_ptr<void> subscription_;
  net::Handle heartbeat_;
};

}  // namespace kiln::scheduler
