// The life of volumes: made with the first launch of their member, held for its attempts, removed
// after the end of its job.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "model/job.h"
#include "model/offer.h"
#include "scheduler/lifecycle/effects.h"
#include "scheduler/lifecycle/settings.h"
#include "scheduler/lifecycle/state.h"
#include "scheduler/placement/snapshot.h"

namespace kiln::scheduler {

// What Mesos tells of an operation.
struct OperationUpdate {
  enum class State {
    kWaiting,  // it will tell later, or when it is asked again
    kDone,
    kFailed,  // it has changed nothing, or nobody knows of it
    kGone,    // with its agent
  };
  std::string operation;
  AgentId agent;
  State state = State::kWaiting;
  std::string message;
  std::string uuid;  // empty: nobody waits for an acknowledgement
};

// The id of an operation on a volume: "<volume>.create" and so on, with the number of the try for
// removals.
std::string OperationId(const VolumeRecord& volume, VolumeStep step);

// What waiting members borrow.
struct LentToPlacement {
  std::deque<Group> tied;        // their groups as members ask for them that have volumes
  std::deque<MemberSet> untied;  // members of such groups that have none yet
};

// Changes the state's volumes and says what is to be done. What nobody is told of for certain is
// asked for again, so that a step that did not happen leads back to where it is tried again.
//
// Pure: time comes in. Threads: one at a time. State and effects are the lifecycle's.
class Volumes {
 public:
  Volumes(const Settings& settings, State& state, Effects& effects);

  bool Has(const MemberId& member) const { return by_member_.contains(member); }
  // Its group as the member asks for it: with what it has already. Requires Has.
  Group Tie(const MemberId& member, const Group& group) const;
  // The members that wait, in parts: those who have volumes alone, before the others, so that
  // nobody takes their room.
  std::vector<WaitingGroup> Split(const std::string& job, const WaitingGroup& waiting,
                                  LentToPlacement& lent) const;

  // The task is about to be launched with `resources` that have room for what is missing: gives the
  // volumes to be made, which are part of the resources then.
  std::vector<std::string> Launch(const Task& task, const Group& group, const std::string& role,
                                  const std::function<std::string()>& next_id, Instant now,
                                  Resources& resources);
  // Its executor has told of it, so its volumes are there.
  void Ran(const Task& task, Instant now);
  // A volume that the task was to have is not known to be there: why, or nothing.
  std::optional<std::string> Lacks(const Task& task) const;
  // The job has ended.
  void Release(const std::string& job, Instant now);

  void Told(const OperationUpdate& update, Instant now);
  // What is offered of volumes: those that nobody wants are removed. Gives the offer's call.
  std::optional<RemovalCall> Offered(const Offer& offer, Instant now);
  // Roles of which offers are called for because of volumes that nobody wants.
  std::set<std::string> Seek(Instant now);

  void Subscribed(Instant now);
  void Disconnected() { connected_ = false; }
  void Tick(Instant now);
  std::optional<Instant> Next() const;

 private:
  const AgentId& AgentOf(const MemberId& member) const;
  void Touch(const VolumeRecord& volume) { effects_.volumes.insert(volume.id); }
  void SetPhase(VolumeRecord& volume, VolumePhase phase, const std::string& message, Instant now);
  void Judge(VolumeRecord& volume, const std::string& message, Instant now);
  void Erase(const std::string& id, const char* state, const std::string& message);
  void Untie(const VolumeRecord& volume);
  void Move(VolumeRecord& volume, const OfferedVolume& offered, const Offer& offer, Instant now);
  VolumeRecord& Adopt(const OfferedVolume& offered, const Offer& offer, Instant now);
  Duration RestOf(const VolumeRecord& volume) const;
  void SoonSeek(Instant now);
  void SoonAsk(Instant now);

  const Settings& settings_;
  State& state_;
  Effects& effects_;
  std::map<MemberId, std::set<std::string>> by_member_;  // wanted ones
  std::map<MemberId, std::string> failures_;             // why the last one could not be made
  std::set<std::string> open_;                           // with steps that are open
  std::set<std::string> unwanted_;
  bool connected_ = false;
  Instant ask_;  // when open steps are asked for
  Duration ask_pause_{};
  Instant seek_;  // when offers are called for
  Duration seek_pause_{};
};

}  // namespace kiln::scheduler
