// What a program is to do, and when.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "base/time.h"

namespace kiln::net {

// A pending timer or watch. Destroying or Reset() cancels it: the function is not called any more.
class Handle {
 public:
  Handle() = default;
  explicit Handle(std::shared_ptr<void> owner) : owner_(std::move(owner)) {}
  void Reset() { owner_.reset(); }
  explicit operator bool() const { return owner_ != nullptr; }

 private:
  std::shared_ptr<void> owner_;
};

// Functions are run one after another, never inside the call that asks for it: the loop of a
// daemon, or the virtual time of the simulator.
class Agenda : public Clock {
 public:
  // Runs the function, in the order of the posts.
  virtual void Post(std::function<void()> function) = 0;
  // Runs it once after this time. Dropping the handle cancels it.
  [[nodiscard]] virtual Handle After(Duration delay, std::function<void()> function) = 0;
};

}  // namespace kiln::net
