#include "tests/simulation/disk.h"

namespace kiln::simulation {

using scheduler::Change;
using scheduler::Revision;

namespace {

constexpr char kTakenOver[] = "the state was taken over";

}  // namespace

Result<Revision> Disk::Read(uint64_t life, const scheduler::TakeRecord& take) {
  if (life < owner_) return Fail(ErrorCode::kConflict, kTakenOver);
  if (life > owner_) late_.clear();
  owner_ = life;
  return store_->Read(take);
}

Result<Revision> Disk::Commit(uint64_t life, Revision expected, std::span<const Change> changes,
                              const scheduler::State* memory) {
  if (stage_.canary == Canary::kNoFence) {
    expected = revision_;
  } else if (life != owner_) {
    checks_.Deposed(life);
    return Fail(ErrorCode::kConflict, kTakenOver);
  }
  if (stage_.canary == Canary::kLateCommit) return WriteLate(expected, changes);
  if (stage_.canary == Canary::kLostCommit) before_ = *store_->Load();
  auto written = store_->Commit(expected, changes);
  if (!written) return written;
  checks_.Committed(changes, memory);
  return revision_ = *written;
}

Result<Revision> Disk::WriteLate(Revision expected, std::span<const Change> changes) {
  if (!late_.empty()) {
    const auto written = store_->Commit(expected - 1, late_);
    if (!written) return written;
    checks_.Committed(late_, nullptr);
  }
  late_.assign(changes.begin(), changes.end());
  return expected + 1;
}

void Disk::Died(uint64_t life) {
  if (life != owner_) return;
  late_.clear();
  if (stage_.canary == Canary::kLostCommit) Forget();
}

void Disk::Forget() {
  std::vector<Change> changes;
  for (const auto& [key, bytes] : before_.bytes) changes.push_back({key.first, key.second, bytes});
  store_ = scheduler::OpenMemoryStore();
  if (!changes.empty()) static_cast<void>(store_->Commit(0, changes));
}

}  // namespace kiln::simulation
