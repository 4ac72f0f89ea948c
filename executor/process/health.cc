#include "executor/process/health.h"

namespace kiln::executor {

std::optional<HealthTracker::Verdict> HealthTracker::OnProbe(bool ok, Instant now) {
  next_ = now + policy_.interval;
  if (ok) {
    bool news = !known_ || failures_ > 0;
    known_ = true;
    failures_ = 0;
    return news ? std::optional(Verdict{}) : std::nullopt;
  }
  if (!known_ && now - start_ <= policy_.grace && policy_.grace > Duration::zero()) {
    return std::nullopt;
  }
  known_ = true;
  ++failures_;
  return Verdict{false, failures_ >= policy_.failures_max};
}

}  // namespace kiln::executor
