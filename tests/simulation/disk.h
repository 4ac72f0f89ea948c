// The disk that all lives of the scheduler share.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "scheduler/lifecycle/state.h"
#include "scheduler/store/store.h"
#include "tests/simulation/checks.h"
#include "tests/simulation/stage.h"

namespace kiln::simulation {

// Outlives the schedulers, as ZooKeeper does: the first load of a life takes it over, and who had
// it before writes and loads no more. With the bugs of the canaries.
class Disk {
 public:
  Disk(Stage& stage, Checks& checks) : stage_(stage), checks_(checks) {}

  // Lives are counted from 1.
  uint64_t NextLife() { return ++lives_; }
  Result<scheduler::Revision> Read(uint64_t life, const scheduler::TakeRecord& take);
  // `memory`: the state of the scheduler that writes; null while it starts.
  Result<scheduler::Revision> Commit(uint64_t life, scheduler::Revision expected,
                                     std::span<const scheduler::Change> changes,
                                     const scheduler::State* memory);
  void Died(uint64_t life);

 private:
  Result<scheduler::Revision> WriteLate(scheduler::Revision expected,
                                        std::span<const scheduler::Change> changes);
  void Forget();

  Stage& stage_;
  Checks& checks_;
  std::unique_ptr<scheduler::Store> store_ = scheduler::OpenMemoryStore();
  uint64_t lives_ = 0;
  uint64_t owner_ = 0;
  scheduler::Revision revision_ = 0;
  std::vector<scheduler::Change> late_;  // of a disk that lies
  scheduler::Records before_;            // the last commit, on one that forgets
};

}  // namespace kiln::simulation
