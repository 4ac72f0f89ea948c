// When recorded events may come in this run. Pure.
//
// The recording has its own clock; this run is ahead of it or behind by an amount that changes from
// step to step. An event may come at its recorded time by any of these amounts, and a tolerance.
#pragma once

#include <algorithm>

#include "tests/mesos/stream_matcher.h"

namespace kiln::replay {

class Timeline {
 public:
  // `slack_ms` is added where a busy machine makes things late.
  explicit Timeline(double slack_ms) : slack_ms_(slack_ms) {}

  // A step that is no stream step ended now, `recorded_ms` after the one before or after its
  // events.
  void StepEnded(double now_ms, double recorded_ms) {
    recorded_base_ = recorded_now_ += recorded_ms;
    base_ms_ = now_ms;
    ahead_ = std::min(ahead_, now_ms - recorded_base_);
    behind_ = std::max(behind_, now_ms - recorded_base_);
  }

  ExpectedEvent Place(const Event& event) {
    const bool offers = KindOf(event.json, event.end).find("OFFERS") != std::string::npos;
    const double tolerance = offers ? kOffersMs : kToleranceMs;
    const double recorded = recorded_base_ + event.after_ms;
    recorded_now_ = std::max(recorded_now_, recorded);
    return {event.json, event.end, recorded + ahead_ - tolerance,
            recorded + behind_ + tolerance + slack_ms_};
  }

  // A wait counts from the end of the last step that is no stream step, unless its events came
  // later than that.
  double EndOfWait(double now_ms, double wait_ms) {
    if (recorded_now_ - recorded_base_ > wait_ms) {
      recorded_now_ += wait_ms;
      return now_ms + wait_ms;
    }
    recorded_now_ = recorded_base_ + wait_ms;
    return base_ms_ + wait_ms;
  }

 private:
  static constexpr double kToleranceMs = 500;
  static constexpr double kOffersMs = 1100;

  const double slack_ms_;
  double recorded_base_ = 0;
  double recorded_now_ = 0;
  double base_ms_ = 0;
  double ahead_ = 0;   // at most zero
  double behind_ = 0;  // at least zero
};

}  // namespace kiln::replay
