// The event loop of a daemon: one thread that owns all state.
#pragma once

#include <functional>
#include <memory>

#include "base/result.h"
#include "base/time.h"
#include "wire/net/agenda.h"

namespace boost::asio {
class io_context;
}

namespace kiln::net {

// Threads: Post and Stop from any thread; everything else on the loop's thread, or before Run.
// Owner: the daemon; outlives all servers, connections and handles made on it.
class Loop final : public Agenda {
 public:
  Loop();
  ~Loop() override;

  // Works until Stop.
  void Run();
  // Works for at most this long, or until Stop: for tests.
  void RunFor(Duration limit);
  void Stop();

  void Post(std::function<void()> function) override;
  [[nodiscard]] Handle After(Duration delay, std::function<void()> function) override;
  // Runs it again and again with this pause.
  [[nodiscard]] Handle Every(Duration pause, std::function<void()> function);
  // Runs it whenever the descriptor is readable. The descriptor stays the caller's and outlives the
  // handle.
  [[nodiscard]] Handle WatchReadable(int fd, std::function<void()> function);
  // Runs it at each delivery of this signal to the process (SIGTERM, SIGINT, SIGCHLD, ...).
  [[nodiscard]] Handle OnSignal(int signal, std::function<void()> function);

  // Runs `work` on a pool thread (as many as cores), then `done` on the loop. `work` shares no
  // state with the loop.
  void Offload(std::function<void()> work, std::function<void()> done);

  Instant Now() const override;  // the system clock
  boost::asio::io_context& Context();

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace kiln::net
