#include "wire/net/loop.h"

#include <fcntl.h>

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <thread>

#include "base/check.h"

namespace kiln::net {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

// What waits for something again and again until its handle is dropped. `source` is a timer, a
// descriptor or a signal set. A pending wait owns the watch; the handle only clears `alive`.
template <typename Source>
struct Watch : std::enable_shared_from_this<Watch<Source>> {
  template <typename... Args>
  explicit Watch(std::function<void()> f, Args&&... args)
      : source(std::forward<Args>(args)...), function(std::move(f)) {}

  // The function may drop the handle: the watch that runs it lives on through `self`.
  void Fire(error_code ec) {
    if (!alive || ec) return;
    auto self = this->shared_from_this();
    function();
    if (alive && again) again(*this);
  }
  Handle MakeHandle() {
    return Handle(std::shared_ptr<void>(this, [self = this->shared_from_this()](void*) {
      self->alive = false;
      self->source.cancel();
    }));
  }

  Source source;
  std::function<void()> function;
  std::function<void(Watch&)> again;
  bool alive = true;
};

using TimerWatch = Watch<asio::steady_timer>;
using SignalWatch = Watch<asio::signal_set>;
using ReadWatch = Watch<asio::posix::stream_descriptor>;

void Arm(TimerWatch& watch, Duration delay) {
  watch.source.expires_after(delay);
  watch.source.async_wait([self = watch.shared_from_this()](error_code ec) { self->Fire(ec); });
}
void Arm(SignalWatch& watch) {
  watch.source.async_wait(
      [self = watch.shared_from_this()](error_code ec, int) { self->Fire(ec); });
}
void Arm(ReadWatch& watch) {
  watch.source.async_wait(asio::posix::stream_descriptor::wait_read,
                          [self = watch.shared_from_this()](error_code ec) { self->Fire(ec); });
}

}  // namespace

struct Loop::Parts {
  asio::io_context context{1};
  asio::executor_work_guard<asio::io_context::executor_type> guard{context.get_executor()};
  // Counts the runs, so that a Stop ends the run it was meant for and no later one.
  std::atomic<uint64_t> run{0};
  std::unique_ptr<asio::thread_pool> pool;
};

Loop::Loop() : parts_(std::make_unique<Parts>()) {}
Loop::~Loop() {
  if (parts_->pool) parts_->pool->join();
}

void Loop::Run() {
  parts_->context.restart();
  parts_->context.run();
  ++parts_->run;
}
void Loop::RunFor(Duration limit) {
  parts_->context.restart();
  parts_->context.run_for(limit);
  ++parts_->run;
}
void Loop::Stop() {
  asio::post(parts_->context, [this, run = parts_->run.load()] {
    if (run == parts_->run) parts_->context.stop();
  });
}

void Loop::Post(std::function<void()> function) {
  asio::post(parts_->context, std::move(function));
}

Handle Loop::After(Duration delay, std::function<void()> function) {
  auto watch = std::make_shared<TimerWatch>(std::move(function), parts_->context);
  Arm(*watch, delay);
  return watch->MakeHandle();
}

Handle Loop::Every(Duration pause, std::function<void()> function) {
  auto watch = std::make_shared<TimerWatch>(std::move(function), parts_->context);
  watch->again = [pause](TimerWatch& w) { Arm(w, pause); };
  Arm(*watch, pause);
  return watch->MakeHandle();
}

Handle Loop::WatchReadable(int fd, std::function<void()> function) {
  // A duplicate, because the watch closes what it owns and the descriptor is the caller's.
  int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  KILN_CHECK(own >= 0);
  auto watch = std::make_shared<ReadWatch>(std::move(function), parts_->context, own);
  watch->again = [](ReadWatch& w) { Arm(w); };
  Arm(*watch);
  return watch->MakeHandle();
}

Handle Loop::OnSignal(int signal, std::function<void()> function) {
  auto watch = std::make_shared<SignalWatch>(std::move(function), parts_->context, signal);
  watch->again = [](SignalWatch& w) { Arm(w); };
  Arm(*watch);
  return watch->MakeHandle();
}

void Loop::Offload(std::function<void()> work, std::function<void()> done) {
  if (!parts_->pool) {
    parts_->pool =
        std::make_unique<asio::thread_pool>(std::max(1u, std::thread::hardware_concurrency()));
  }
  asio::post(*parts_->pool, [this, work = std::move(work), done = std::move(done)]() mutable {
    work();
    work = nullptr;
    Post(std::move(done));
  });
}

Instant Loop::Now() const { return SystemClock().Now(); }
asio::io_context& Loop::Context() { return parts_->context; }

}  // namespace kiln::net
