// Virtual time, and the programs that live in it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <queue>
#include <vector>

#include "base/time.h"
#include "wire/net/agenda.h"

namespace kiln::simulation {

// What happens next happens at once: time goes to it. Of two things at one time the one that was
// asked for first comes first.
// Threads: one.
class Timeline {
 public:
  Instant now() const { return now_; }
  void At(Instant when, std::function<void()> function) {
    queue_.push({std::max(when, now_), ++sequence_,
                 std::make_shared<std::function<void()>>(std::move(function))});
  }
  void After(Duration delay, std::function<void()> function) {
    At(now_ + delay, std::move(function));
  }
  // False when nothing is left to happen.
  bool Step();
  uint64_t steps() const { return steps_; }

 private:
  struct Entry {
    Instant when;
    uint64_t sequence = 0;
    std::shared_ptr<std::function<void()>> function;
    bool operator<(const Entry& other) const {
      return std::pair(other.when, other.sequence) < std::pair(when, sequence);
    }
  };

  Instant now_{1'700'000'000'000'000'000};
  uint64_t sequence_ = 0;
  uint64_t steps_ = 0;
  std::priority_queue<Entry> queue_;
};

// The agenda of one life of a program. Once it is killed nothing of it runs any more.
// Threads: one. The timeline outlives it.
class Process final : public net::Agenda {
 public:
  // `skew`: what its clock is ahead of the timeline at this moment; timers do not see it.
  Process(Timeline& timeline, const Duration& skew) : timeline_(timeline), skew_(skew) {}
  ~Process() override { Kill(); }

  Instant Now() const override { return timeline_.now() + skew_; }
  void Post(std::function<void()> function) override;
  [[nodiscard]] net::Handle After(Duration delay, std::function<void()> function) override;

  void Kill() { *alive_ = false; }
  bool alive() const { return *alive_; }

 private:
  Timeline& timeline_;
  const Duration& skew_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace kiln::simulation
