// Pauses that grow while something goes wrong again and again.
#pragma once

#include <algorithm>

#include "base/time.h"

namespace kiln::scheduler {

// `first`, doubled so many times, and `most` at most.
inline Duration DoubledPause(Duration first, int doublings, Duration most) {
  Duration pause = first;
  for (int i = 0; i < doublings && pause < most; ++i) pause *= 2;
  return std::min(pause, most);
}

}  // namespace kiln::scheduler
