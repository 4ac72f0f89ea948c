// How often each caller may ask.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "base/time.h"

namespace kiln::scheduler {

// Buckets of tokens, one for each caller, that fill again with time. Values in, values out: time is
// an argument. Memory is bounded: callers beyond the most that are kept share one bucket.
class Limiter {
 public:
  struct Rate {
    double per_second = 0;
    double burst = 0;  // at once, after a pause
  };
  explicit Limiter(Rate rate) : rate_(rate) {}

  // How long this caller has to wait for its next request; nothing: it need not.
  std::optional<Duration> Wait(const std::string& caller, Instant now);
  // The same, and counts a request that need not wait.
  std::optional<Duration> Take(const std::string& caller, Instant now);

 private:
  struct Bucket {
    double left = 0;
    Instant at;
  };
  std::optional<Duration> WaitOf(const Bucket& bucket) const;
  Bucket& Filled(const std::string& caller, Instant now);
  void Fill(Bucket& bucket, Instant now) const;

  const Rate rate_;
  Instant swept_;
  std::map<std::string, Bucket, std::less<>> buckets_;
};

}  // namespace kiln::scheduler
