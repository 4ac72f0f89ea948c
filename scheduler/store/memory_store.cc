#include "scheduler/store/store.h"

namespace kiln::scheduler {
namespace {

class MemoryStore final : public Store {
 public:
  Result<Revision> Read(const TakeRecord& take) override {
    for (const auto& [key, bytes] : records_.bytes) KILN_TRY_OK(take(key.first, key.second, bytes));
    return records_.revision;
  }

  Result<Revision> Commit(Revision expected, std::span<const Change> changes) override {
    if (expected != records_.revision) {
      return Fail(ErrorCode::kConflict,
                  "state has revision {}, expected {}: somebody else wrote it", records_.revision,
                  expected);
    }
    for (const Change& change : changes) records_.Apply(change);
    return ++records_.revision;
  }

 private:
  Records records_;
};

}  // namespace

std::unique_ptr<Store> OpenMemoryStore() { return std::make_unique<MemoryStore>(); }

}  // namespace kiln::scheduler
