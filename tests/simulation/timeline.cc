#include "tests/simulation/timeline.h"

#include <algorithm>

namespace kiln::simulation {
namespace {

// What a step of a program takes: who asks for one step after the other does not stop time.
constexpr Duration kStepTime = std::chrono::microseconds(50);

}  // namespace

bool Timeline::Step() {
  if (queue_.empty()) return false;
  const auto function = queue_.top().function;
  now_ = queue_.top().when;
  queue_.pop();
  ++steps_;
  (*function)();
  return true;
}

void Process::Post(std::function<void()> function) {
  timeline_.After(kStepTime, [alive = alive_, function = std::move(function)] {
    if (*alive) function();
  });
}

net::Handle Process::After(Duration delay, std::function<void()> function) {
  auto kept = std::make_shared<std::function<void()>>(std::move(function));
  timeline_.After(std::max(delay, kStepTime), [alive = alive_, weak = std::weak_ptr(kept)] {
    const auto timer = weak.lock();
    if (timer && *alive) (*timer)();
  });
  return net::Handle(kept);
}

}  // namespace kiln::simulation
