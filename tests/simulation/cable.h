// What an agent and the master say to each other, on its way.
#pragma once

#include <deque>
#include <functional>
#include <utility>

#include "tests/simulation/stage.h"

namespace kiln::simulation {

// Messages of one direction arrive in their order. Where some are lost, the connection is, and the
// master learns it.
class Cable {
 public:
  enum Direction { kToMaster, kToAgent };
  Cable(Stage& stage, std::function<void()> tell_master)
      : stage_(stage), tell_master_(std::move(tell_master)) {}

  void Send(Direction direction, std::function<void()> arrive);
  // What is under way is lost, and what the master says until it has learned of that.
  void Cut();
  // `loses`: what is said until it is healed is lost; else it arrives then, if that is before
  // either side gives the other up.
  void Divide(bool loses);
  void Heal();

 private:
  enum class Condition { kWhole, kHolds, kLoses };

  Stage& stage_;
  std::function<void()> tell_master_;
  Condition condition_ = Condition::kWhole;
  bool lost_ = false;
  bool cut_ = false;  // the master does not know yet
  Instant divided_;
  uint64_t connection_ = 0;
  Instant last_[2];
  std::deque<std::pair<Direction, std::function<void()>>> held_;
};

}  // namespace kiln::simulation
