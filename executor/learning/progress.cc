#include "executor/learning/progress.h"

#include <algorithm>
#include <thread>
#include <vector>

namespace kiln::executor {

Status RunParallel(int threads, size_t count, const Progress& progress,
                   const std::function<void(size_t)>& work) {
  std::atomic<size_t> next = 0;
  std::atomic<size_t> done = 0;
  const auto take = [&](bool reports) {
    while (!progress.Cancelled()) {
      const size_t i = next++;
      if (i >= count) return;
      work(i);
      const size_t finished = ++done;
      if (reports && progress.report) {
        progress.report(static_cast<double>(finished) / static_cast<double>(count));
      }
    }
  };
  const size_t cores = std::max(1u, std::thread::hardware_concurrency());
  const size_t wanted = threads > 0 ? static_cast<size_t>(threads) : cores;
  std::vector<std::jthread> others;
  for (size_t i = 1; i < std::min(wanted, count); ++i) others.emplace_back(take, false);
  take(true);
  others.clear();
  if (done < count) return Fail(ErrorCode::kFailedPrecondition, "the work was cancelled");
  if (progress.report) progress.report(1);
  return {};
}

}  // namespace kiln::executor
