// The agent on which a member nearly fits, and who has what it lacks there.
#pragma once

#include "scheduler/placement/explain.h"
#include "scheduler/placement/outlook.h"

namespace kiln::scheduler {

// The rooms and the outlook outlive it. Without an outlook that asks for details it tells nothing.
class Nearest {
 public:
  Nearest(const std::vector<Room>& rooms, const Names& names, const Outlook* outlook)
      : rooms_(rooms), names_(names), outlook_(outlook) {}

  // Names the agent, of those in the rooms of the role that the constraints allow, that lacks the
  // smallest part of what the next member needs; of equal ones, one on which tasks of ours have
  // some of it. Agents that have not as many devices of the kind, free or not, are left out.
  // `overhead` as for Explain. After so many rooms, further causes are told nothing.
  void Tell(const Group& group, const std::string& role, const Constraints& constraints,
            const Resources& overhead, Cause& cause);

 private:
  const std::vector<Room>& rooms_;
  const Names& names_;
  const Outlook* outlook_;
  size_t seen_ = 0;  // rooms
};

}  // namespace kiln::scheduler
