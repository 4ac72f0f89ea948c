// Work that computes on a thread.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>

#include "executor/daemon/work.h"
#include "executor/learning/progress.h"

namespace kiln::executor {

// Told once that the work is to end.
// Threads: any.
class CancelFlag {
 public:
  void Set();
  const std::atomic<bool>& flag() const { return flag_; }
  // Waits this long, or until it is set: then true.
  bool WaitFor(Duration time);

 private:
  std::atomic<bool> flag_{false};
  std::mutex mutex_;
  std::condition_variable changed_;
};

// What the computation sees; its thread's alone, but for Tell.
struct KernelContext {
  v1::Work work;
  std::string scratch;  // a folder for whoever makes it; goes with the work
  int threads = 1;
  std::shared_ptr<CancelFlag> cancel;
  // How far it is; from any thread.
  std::function<void(const v1::Report&)> tell;

  // Tells a fraction between `from` and `to` with the rows read so far.
  Progress ProgressOf(double from, double to, int64_t rows = 0) const;
};

// Returns what the task tells at its end. kInvalidArgument and kUnimplemented end it as TASK_ERROR.
using Kernel = std::function<Result<v1::Report>(const KernelContext& context)>;

// Threads: the kernel runs on one of a pool. A kernel that does not look at its cancel flag is left
// behind when it is stopped by force: its thread is lost to it, and so is what it gives.
std::unique_ptr<RunningWork> StartKernel(WorkContext context, Kernel kernel);

}  // namespace kiln::executor
