// What the scheduler must not forget, written as records to a store.
#pragma once

#include <memory>

#include "base/result.h"
#include "scheduler/lifecycle/effects.h"
#include "scheduler/lifecycle/state.h"
#include "scheduler/store/store.h"

namespace kiln::scheduler {

// Puts a change of a record into the state. kDataLoss: its bytes are no record.
Status Apply(const Change& change, State& state);

class Ledger {
 public:
  explicit Ledger(std::unique_ptr<Store> store) : store_(std::move(store)) {}

  // The state as it was last written.
  Result<State> Load();
  // Writes what the effects name, as it stands in the state: all of it or nothing.
  Status Write(const State& state, const Effects& effects);

 private:
  std::unique_ptr<Store> store_;
  Revision revision_ = 0;
};

}  // namespace kiln::scheduler
