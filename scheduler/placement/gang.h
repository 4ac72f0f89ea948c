// The waiting members of a gang: put into rooms together, near each other where the gang asks for
// that.
#pragma once

#include <string>
#include <vector>

#include "scheduler/placement/constraints.h"
#include "scheduler/placement/explain.h"
#include "scheduler/placement/gathering.h"
#include "scheduler/placement/limits.h"
#include "scheduler/placement/placed.h"
#include "scheduler/placement/ranking.h"
#include "scheduler/placement/rooms.h"
#include "scheduler/placement/snapshot.h"
#include "scheduler/placement/topology.h"

namespace kiln::scheduler {

using Log = std::vector<Placed>;

// A group while its members are placed.
struct Part {
  const WaitingGroup* group;
  Constraints constraints;
  size_t placed = 0;  // members, the first ones

  size_t Missing() const { return group->members.size() - placed; }
};

// Who puts single members into rooms.
class MemberPlacer {
 public:
  virtual ~MemberPlacer() = default;

  // No member is placed.
  virtual Part Begin(const WaitingGroup& group) = 0;
  // Puts members of each part until all are in or one fits nowhere; with a scope, into those rooms.
  virtual void Put(const WaitingJob& job, std::vector<Part>& parts,
                   const std::vector<size_t>* scope, Log& log) = 0;
  // The last one first.
  virtual void TakeBack(const WaitingJob& job, const Log& log) = 0;
  // Why the next member of the part fits nowhere; with a scope, nowhere there.
  virtual Cause CauseOf(const WaitingJob& job, const Part& part,
                        const std::vector<size_t>* scope) = 0;
  // Why members of the group fit nowhere, if that is known.
  virtual const Cause* Hopeless(const WaitingJob& job, const WaitingGroup& group) = 0;
  // One of its members fits nowhere.
  virtual void Despair(const WaitingJob& job, const WaitingGroup& group, const Cause& cause) = 0;
  virtual Topology& TopologyOf(const std::string& role, const Levels& levels) = 0;
};

// What a gang looks at. Borrowed.
struct GangView {
  const Snapshot& snapshot;
  const std::vector<Room>& rooms;
  Ranking& ranking;
  Limits& limits;
};

// Pure: no clock, no chance. The placer and the job outlive it.
class Gang final : public GangFill {
 public:
  Gang(MemberPlacer& placer, GangView view, const WaitingJob& job);

  const std::vector<Part>& parts() const { return parts_; }
  const Log& log() const { return log_; }
  Log Take() { return std::move(log_); }

  // Puts as many as fit where the gang wants them; gives why the first of the others fits nowhere.
  Cause Place();

  std::vector<size_t> Out() const override;
  size_t Holds(size_t room, size_t group) const override;
  void Put(const std::vector<size_t>* rooms) override;
  bool Done() const override;
  void TakeAllBack() override;

 private:
  Cause PlaceNear();
  // Whether a member fits, wherever that is. Requires that none is in.
  bool FitsAnywhere();
  size_t Waiting() const;
  // Of the first that is out.
  Cause CauseOfFirst(const std::vector<size_t>* scope) const;
  // Some fit, but not enough of them.
  Cause Together(Cause next) const;

  MemberPlacer& placer_;
  const GangView view_;
  const WaitingJob& job_;
  std::vector<Part> parts_;
  std::vector<Need> needs_;  // of the parts
  Log log_;
};

}  // namespace kiln::scheduler
