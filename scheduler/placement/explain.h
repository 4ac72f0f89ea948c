// Why the next member of a group fits nowhere, in one sentence.
#pragma once

#include <string>
#include <vector>

#include "scheduler/placement/constraints.h"
#include "scheduler/placement/names.h"
#include "scheduler/placement/plan.h"
#include "scheduler/placement/rooms.h"

namespace kiln::scheduler {

struct Cause {
  Blocker blocker = Blocker::kNoOffers;
  std::string reason;
  std::string nearest;  // as in a refusal
  std::string held_by;
};

// Where a cause is looked for. Borrowed.
struct ExplainView {
  const std::vector<Room>& rooms;
  const Names& names;
  const std::vector<size_t>* scope = nullptr;  // only these rooms; null: all
};

// `overhead` is the executor that comes with the first member of a pool on an agent.
Cause Explain(const Group& group, const std::string& role, const ExplainView& view,
              const Constraints& constraints, const Resources& overhead);

}  // namespace kiln::scheduler
