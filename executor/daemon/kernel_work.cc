#include "executor/daemon/kernel_work.h"

#include <filesystem>
#include <thread>

#include "executor/daemon/kernel_pool.h"

namespace kiln::executor {
namespace {

namespace fs = std::filesystem;

// The loop's end of a computation, cut off when the work is destroyed or left behind.
struct Line {
  std::mutex mutex;
  std::function<void(Input)> tell;

  void Tell(Input input) {
    std::lock_guard lock(mutex);
    if (tell) tell(std::move(input));
  }
  void Cut() {
    std::lock_guard lock(mutex);
    tell = nullptr;
  }
};

WorkEnded EndWith(const std::string& id, const Result<v1::Report>& result) {
  if (!result) return EndOf(id, result.error());
  return {
      .task = id, .ok = true, .message = result->message(), .data = result->SerializeAsString()};
}

// Half of what runs may wait for disks.
KernelPool& ThePool() {
  static auto* const pool = new KernelPool(2 * std::max(std::thread::hardware_concurrency(), 1u));
  return *pool;
}

class KernelWork final : public RunningWork {
 public:
  KernelWork(WorkContext context, Kernel kernel)
      : id_(context.id()), line_(std::make_shared<Line>()) {
    line_->tell = std::move(context.tell);
    KernelContext inner{std::move(context.work), std::move(context.scratch),
                        ThreadsOf(context.task), cancel_,
                        [id = id_, line = line_](const v1::Report& report) {
                          line->Tell(WorkProgress{id, report.SerializeAsString(), {}});
                        }};
    ThePool().Run([id = id_, line = line_, inner = std::move(inner), kernel = std::move(kernel)] {
      line->Tell(WorkStarted{id, {}});
      Result<v1::Report> result = kernel(inner);
      std::error_code ec;
      fs::remove_all(inner.scratch, ec);
      line->Tell(EndWith(id, result));
    });
  }
  ~KernelWork() override {
    cancel_->Set();
    line_->Cut();
  }

  void Stop(bool force) override {
    cancel_->Set();
    if (!force) return;
    line_->Tell(WorkEnded{.task = id_, .message = "work did not stop in time and was left behind"});
    line_->Cut();
  }

 private:
  std::string id_;
  std::shared_ptr<CancelFlag> cancel_ = std::make_shared<CancelFlag>();
  std::shared_ptr<Line> line_;
};

}  // namespace

void CancelFlag::Set() {
  std::lock_guard lock(mutex_);
  flag_ = true;
  changed_.notify_all();
}

bool CancelFlag::WaitFor(Duration time) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, time, [this] { return flag_.load(); });
}

Progress KernelContext::ProgressOf(double from, double to, int64_t rows) const {
  return {[from, to, rows, tell = tell](double fraction) {
            v1::Report report;
            report.set_fraction(from + (to - from) * fraction);
            report.set_rows(rows);
            tell(report);
          },
          &cancel->flag()};
}

std::unique_ptr<RunningWork> StartKernel(WorkContext context, Kernel kernel) {
  return std::make_unique<KernelWork>(std::move(context), std::move(kernel));
}

}  // namespace kiln::executor
