#include "scheduler/store/store.h"

namespace kiln::scheduler {
namespace {

class MemoryStore final : public Store {
 public:
  Result<Records> Load() override { return records_; }

  Result<Revision> Commit(Revision expected, std::span<const Change> changes) override {
    if (expected != records_.revision) {
      return Fail(ErrorCode::kConflict,
                  "state has revision {}, expected {}: somebody else wrote it", records_.revision,
                  expected);
    }
    for (const Change& change : changes) {
      const auto key = std::pair(change.kind, change.key);
      if (change.bytes) {
        records_.bytes[key] = *change.bytes;
      } else {
        records_.bytes.erase(key);
      }
    }
    return ++records_.revision;
  }

 private:
  Records records_;
};

}  // namespace

std::unique_ptr<Store> OpenMemoryStore() { return std::make_unique<MemoryStore>(); }

}  // namespace kiln::scheduler
