// A connection by which a process notices at once that another one has died.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "wire/net/http.h"
#include "wire/net/server.h"

namespace kiln::net {

class Loop;

// Who connects is sent the name, and is held until this process ends.
// Threads: the loop's alone. Owner: anybody; the loop outlives it.
class Lifeline {
 public:
  // `name` is no other process's, and has no line break.
  static std::unique_ptr<Lifeline> Open(Loop& loop, Listener listener, std::string name);
  virtual ~Lifeline() = default;
  virtual int port() const = 0;
};

// Holds the line of another process, and takes it up again whenever it breaks.
//
// A process is dead when its line was held, broke, and its address then refuses connections again
// and again, or is another's. A line that is only silent, a connection that is only slow and an
// address that was never reached say nothing.
//
// Threads: the loop's alone; so does the callback come, once at most. Owner: anybody; the loop
// outlives it. It may be destroyed inside the callback.
class LifelineWatch {
 public:
  static std::unique_ptr<LifelineWatch> Open(Loop& loop, Url address, std::string name,
                                             std::function<void()> on_death);
  virtual ~LifelineWatch() = default;
};

}  // namespace kiln::net
