// How long work took, by its likeness.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "base/time.h"
#include "model/job.h"

namespace kiln::scheduler {

// Remembers the last members of each likeness that ended well, and the kinds of work that ended
// last. Threads: one at a time.
class Durations {
 public:
  void Add(const Group& group, Duration took);
  // The longest of those that are remembered; nothing: none is.
  std::optional<Duration> Of(const Group& group) const;

 private:
  struct Entry {
    std::vector<Duration> last;  // the oldest first
    uint64_t added = 0;          // the number of the last addition
  };
  std::map<uint64_t, Entry> entries_;  // by likeness
  uint64_t additions_ = 0;
};

}  // namespace kiln::scheduler
