// Threads for computations of any length.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>

namespace kiln::executor {

// Short work runs on a few threads, so that thousands of tasks do not fight for the same cores and
// folders. Work that is long does not keep the rest waiting: whenever nothing could start for
// kPatience, one thread more takes what is next. Work starts in the order in which it came.
// Threads: any. Owner: lives as long as its process; its threads do not keep that from ending.
class KernelPool {
 public:
  static constexpr std::chrono::milliseconds kPatience{2};

  // `width`: how many run side by side without waiting.
  explicit KernelPool(size_t width) : width_(width) {}
  KernelPool(const KernelPool&) = delete;
  KernelPool& operator=(const KernelPool&) = delete;

  void Run(std::function<void()> work);
  size_t Threads();

 private:
  using Clock = std::chrono::steady_clock;
  void Loop();
  void AddThread();
  bool MayStart(Clock::time_point now) const;

  const size_t width_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> queue_;
  Clock::time_point moved_;  // when the queue last began to wait
  size_t running_ = 0;
  size_t idle_ = 0;
};

}  // namespace kiln::executor
