// When a task is looked at, and what its answers mean: Mesos's rules, without a clock.
#pragma once

#include <optional>

#include "base/time.h"

namespace kiln::executor {

struct HealthPolicy {
  Duration delay = std::chrono::seconds(15);
  Duration interval = std::chrono::seconds(10);
  Duration grace = std::chrono::seconds(10);  // failures in it, before the first success, are free
  int failures_max = 3;                       // consecutive
};

// Threads: one. The next probe is due an interval behind the end of the one before.
class HealthTracker {
 public:
  HealthTracker(HealthPolicy policy, Instant start)
      : policy_(policy), start_(start), next_(start + policy.delay) {}

  Instant next() const { return next_; }

  struct Verdict {
    bool healthy = true;
    bool kill = false;
    bool operator==(const Verdict&) const = default;
  };
  // What a probe's end means to the world; nothing: no news.
  std::optional<Verdict> OnProbe(bool ok, Instant now);

 private:
  HealthPolicy policy_;
  Instant start_;
  Instant next_;
  bool known_ = false;  // something was told
  int failures_ = 0;
};

}  // namespace kiln::executor
