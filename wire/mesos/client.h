// What the clients of masters and agents tell their owner.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace kiln::wire {

// The answer to a call. A good one says that the call was taken, not that it was valid.
struct CallAnswer {
  uint64_t call = 0;
  int status = 0;    // HTTP; 0: the connection was lost before an answer came
  std::string text;  // Mesos's reason, or why there is no answer

  bool ok() const { return status == 200 || status == 202; }
};

// A subscription ended, or a try to get one failed.
struct Disconnected {
  Error why;                // kPermissionDenied: the authorization was refused
  bool subscribed = false;  // a subscription was lost: offers and unanswered calls are void
  bool final = false;       // the client stands still until Start
};

}  // namespace kiln::wire
