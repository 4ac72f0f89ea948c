#include "executor/daemon/kernel_pool.h"

#include <gtest/gtest.h>

#include <latch>

namespace kiln::executor {
namespace {

// The pools live on with their threads, as the executor's does.
KernelPool& PoolOf(size_t width) { return *new KernelPool(width); }

TEST(KernelPoolTest, ShortWorkSharesAFewThreads) {
  KernelPool& pool = PoolOf(2);
  std::latch done(1000);
  for (int i = 0; i < 1000; ++i) pool.Run([&] { done.count_down(); });
  done.wait();
  EXPECT_LT(pool.Threads(), 20u);
}

TEST(KernelPoolTest, LongWorkDoesNotKeepTheRestWaiting) {
  KernelPool& pool = PoolOf(2);
  // Each waits for all others: they end only if all of them run at the same time.
  std::latch all(20), done(20);
  for (int i = 0; i < 20; ++i) {
    pool.Run([&] {
      all.arrive_and_wait();
      done.count_down();
    });
  }
  done.wait();
}

}  // namespace
}  // namespace kiln::executor
