#include "scheduler/api/limiter.h"

#include <algorithm>

namespace kiln::scheduler {
namespace {

constexpr size_t kCallersMax = 10'000;
constexpr Duration kSweepPause = std::chrono::seconds(1);

}  // namespace

void Limiter::Fill(Bucket& bucket, Instant now) const {
  const double seconds = std::max(0.0, ToSeconds(now - bucket.at));
  bucket.left = std::min(rate_.burst, bucket.left + seconds * rate_.per_second);
  bucket.at = now;
}

Limiter::Bucket& Limiter::Filled(const std::string& caller, Instant now) {
  if (buckets_.size() >= kCallersMax && now - swept_ >= kSweepPause) {
    swept_ = now;
    // Whoever is full is as one who never came.
    for (auto& [name, bucket] : buckets_) Fill(bucket, now);
    std::erase_if(buckets_, [&](const auto& entry) { return entry.second.left >= rate_.burst; });
  }
  auto found = buckets_.find(caller);
  if (found == buckets_.end()) {
    const bool room = buckets_.size() < kCallersMax;
    found = buckets_.emplace(room ? caller : "", Bucket{rate_.burst, now}).first;
  }
  Fill(found->second, now);
  return found->second;
}

std::optional<Duration> Limiter::WaitOf(const Bucket& bucket) const {
  if (bucket.left >= 1) return std::nullopt;
  return FromSeconds((1 - bucket.left) / rate_.per_second);
}

std::optional<Duration> Limiter::Wait(const std::string& caller, Instant now) {
  return WaitOf(Filled(caller, now));
}

std::optional<Duration> Limiter::Take(const std::string& caller, Instant now) {
  Bucket& bucket = Filled(caller, now);
  const auto wait = WaitOf(bucket);
  if (!wait) bucket.left -= 1;
  return wait;
}

}  // namespace kiln::scheduler
