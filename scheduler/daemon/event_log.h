// The latest events, for those who watch and those who come back.
#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <vector>

#include "scheduler/api/backend.h"

namespace kiln::scheduler {

// Threads: one. Listeners may come and go inside a call of theirs.
class EventLog {
 public:
  using Listener = std::function<void(const Event&)>;

  // Numbers begin above those of earlier lives, so that what a reader has seen there hides nothing.
  void BeginLife(uint64_t incarnation) { last_ = std::max(last_, incarnation << 32); }

  void Add(Event event) {
    event.sequence = ++last_;
    events_.push_back(std::move(event));
    if (events_.size() > kKept) events_.pop_front();
    const Event copy = events_.back();
    std::erase_if(listeners_, [](const auto& listener) { return listener.expired(); });
    const auto listeners = listeners_;
    for (const auto& weak : listeners) {
      if (const auto listener = weak.lock()) (*listener)(copy);
    }
  }

  std::vector<Event> After(uint64_t sequence) const {
    std::vector<Event> events;
    for (const Event& event : events_) {
      if (event.sequence > sequence) events.push_back(event);
    }
    return events;
  }

  std::shared_ptr<void> Subscribe(Listener listener) {
    auto shared = std::make_shared<Listener>(std::move(listener));
    listeners_.push_back(shared);
    return shared;
  }

 private:
  static constexpr size_t kKept = 10'000;

  uint64_t last_ = 0;
  std::deque<Event> events_;
  std::vector<std::weak_ptr<Listener>> listeners_;
};

}  // namespace kiln::scheduler
