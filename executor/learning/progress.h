// How far long work is, and whether to give it up.
#pragma once

#include <atomic>
#include <functional>

#include "base/result.h"

namespace kiln::executor {

struct Progress {
  // Called on the thread that asked for the work, with a growing fraction from 0 to 1.
  std::function<void(double fraction)> report;
  // Looked at often; once true the work ends soon with kFailedPrecondition. Outlives the work.
  const std::atomic<bool>* cancelled = nullptr;

  bool Cancelled() const { return cancelled != nullptr && cancelled->load(); }
};

// Calls work(0) to work(count - 1), each once, on at most `threads` threads (0: one for each core),
// this one among them. Which thread takes which number is open.
Status RunParallel(int threads, size_t count, const Progress& progress,
                   const std::function<void(size_t)>& work);

}  // namespace kiln::executor
