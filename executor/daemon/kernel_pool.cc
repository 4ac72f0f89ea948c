#include "executor/daemon/kernel_pool.h"

#include <thread>
#include <utility>

namespace kiln::executor {
namespace {

constexpr std::chrono::seconds kIdleMax(10);

}  // namespace

void KernelPool::Run(std::function<void()> work) {
  std::lock_guard lock(mutex_);
  if (queue_.empty()) moved_ = Clock::now();
  queue_.push_back(std::move(work));
  if (idle_ == 0) return AddThread();
  changed_.notify_one();
}

size_t KernelPool::Threads() {
  std::lock_guard lock(mutex_);
  return running_ + idle_;
}

void KernelPool::AddThread() {
  ++idle_;
  std::thread([this] { Loop(); }).detach();
}

bool KernelPool::MayStart(Clock::time_point now) const {
  return !queue_.empty() && (running_ < width_ || now >= moved_ + kPatience);
}

void KernelPool::Loop() {
  std::unique_lock lock(mutex_);
  while (true) {
    const bool wanted = changed_.wait_for(lock, kIdleMax, [this] { return !queue_.empty(); });
    if (!wanted) break;
    const auto now = Clock::now();
    if (!MayStart(now)) {
      changed_.wait_until(lock, moved_ + kPatience);
      continue;
    }
    auto work = std::move(queue_.front());
    queue_.pop_front();
    moved_ = now;
    ++running_;
    --idle_;
    if (idle_ == 0 && !queue_.empty()) AddThread();
    lock.unlock();
    work();
    work = nullptr;
    lock.lock();
    --running_;
    ++idle_;
  }
  --idle_;
}

}  // namespace kiln::executor
