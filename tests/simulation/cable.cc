#include "tests/simulation/cable.h"

#include <algorithm>

namespace kiln::simulation {

void Cable::Send(Direction direction, std::function<void()> arrive) {
  if (cut_ && direction == kToAgent) return;
  switch (condition_) {
    case Condition::kHolds:
      held_.emplace_back(direction, std::move(arrive));
      return;
    case Condition::kLoses:
      lost_ = true;
      return;
    case Condition::kWhole:
      break;
  }
  const Duration delay = std::chrono::microseconds(50 + stage_.random.Below(2000));
  last_[direction] = std::max(last_[direction], stage_.timeline.now() + delay);
  stage_.timeline.At(last_[direction],
                     [this, connection = connection_, arrive = std::move(arrive)] {
                       if (connection == connection_) arrive();
                     });
}

void Cable::Cut() {
  ++connection_;
  cut_ = true;
  held_.clear();
  if (condition_ == Condition::kLoses) {
    lost_ = true;
  } else {
    Send(kToMaster, [this] {
      cut_ = false;
      tell_master_();
    });
  }
}

void Cable::Divide(bool loses) {
  if (condition_ != Condition::kWhole) return;
  divided_ = stage_.timeline.now();
  condition_ = loses ? Condition::kLoses : Condition::kHolds;
}

void Cable::Heal() {
  if (std::exchange(condition_, Condition::kWhole) == Condition::kWhole) return;
  // Who has missed some pings has closed the connection.
  const bool closed = stage_.timeline.now() - divided_ > 4 * stage_.scenario.ping_timeout;
  if (std::exchange(lost_, false) || closed) return Cut();
  for (auto& [direction, arrive] : std::exchange(held_, {})) Send(direction, std::move(arrive));
}

}  // namespace kiln::simulation
