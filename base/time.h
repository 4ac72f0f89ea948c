// Instants and the clock that gives them. Cores take an Instant as an argument; only daemons read a
// clock.
#pragma once

#include <chrono>
#include <cstdint>

namespace kiln {

using Duration = std::chrono::nanoseconds;

// A moment: nanoseconds since 1970-01-01 UTC.
struct Instant {
  int64_t nanoseconds = 0;

  auto operator<=>(const Instant&) const = default;
  Instant operator+(Duration d) const { return {nanoseconds + d.count()}; }
  Instant operator-(Duration d) const { return {nanoseconds - d.count()}; }
  Duration operator-(Instant other) const { return Duration(nanoseconds - other.nanoseconds); }
  double Seconds() const { return static_cast<double>(nanoseconds) * 1e-9; }
};

inline Duration FromSeconds(double seconds) {
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
}
inline double ToSeconds(Duration d) { return std::chrono::duration<double>(d).count(); }

class Clock {
 public:
  virtual ~Clock() = default;
  virtual Instant Now() const = 0;
};

class SystemClock final : public Clock {
 public:
  Instant Now() const override {
    return {
        std::chrono::duration_cast<Duration>(std::chrono::system_clock::now().time_since_epoch())
            .count()};
  }
};

// Moves only when told; for tests and the simulator.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(Instant start = {1'000'000'000'000}) : now_(start) {}
  Instant Now() const override { return now_; }
  void Advance(Duration step) { now_ = now_ + step; }

 private:
  Instant now_;
};

}  // namespace kiln
