// Actions as text, for tests of subscriptions.
#pragma once

#include <fmt/format.h>

#include <string>

#include "wire/mesos/subscription.h"

namespace kiln::wire {

// "event OFFERS; close; lost: why; timer <0.5s". A pause is told by its bound: the next of 0.5, 1,
// 2, ... seconds above it; whole seconds above 4 are told exactly.
inline std::string Text(const Actions& actions) {
  struct Visitor {
    std::string operator()(const Connect& connect) const { return "connect " + connect.base; }
    std::string operator()(const SendSubscribe&) const { return "subscribe"; }
    std::string operator()(const SendCall& call) const { return fmt::format("call {}", call.call); }
    std::string operator()(const SetTimer& timer) const {
      if (!timer.delay) return "timer none";
      const double delay = ToSeconds(*timer.delay);
      if (delay == 0) return "timer 0s";
      if (delay > 4 && delay == static_cast<int>(delay)) return fmt::format("timer {}s", delay);
      double bound = 0.5;
      while (delay > bound) bound *= 2;
      return fmt::format("timer <{}s", bound);
    }
    std::string operator()(const CloseBoth&) const { return "close"; }
    std::string operator()(const Deliver& deliver) const {
      using Scheduler = mesos::v1::scheduler::Event;
      using Executor = mesos::v1::executor::Event;
      if (const auto* event = std::get_if<Scheduler>(&deliver.event)) {
        return "event " + Scheduler::Type_Name(event->type());
      }
      return "event " + Executor::Type_Name(std::get<Executor>(deliver.event).type());
    }
    std::string operator()(const CallAnswer& answer) const {
      return fmt::format("answer {} {} {}", answer.call, answer.status, answer.text);
    }
    std::string operator()(const Disconnected& end) const {
      const char* what = end.final ? (end.subscribed ? "final, subscribed" : "final")
                                   : (end.subscribed ? "lost" : "not subscribed");
      return fmt::format("{}: {}", what, end.why.message);
    }
  };
  std::string text;
  for (const Action& action : actions) {
    text += (text.empty() ? "" : "; ") + std::visit(Visitor{}, action);
  }
  return text;
}

}  // namespace kiln::wire
