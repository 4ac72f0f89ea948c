// A persistent volume of a member, as it is remembered.
#pragma once

#include <map>
#include <string>

#include "base/time.h"
#include "model/ids.h"
#include "model/task.h"
#include "model/units.h"

namespace kiln::scheduler {

enum class VolumePhase {
  kMaking,    // RESERVE and CREATE are under way, with the launch of a task
  kHeld,      // its member starts where it is
  kUnwanted,  // to be removed as soon as it is offered
  kRemoving,  // DESTROY and UNRESERVE are under way
};
// "MAKING" and so on.
const char* VolumePhaseName(VolumePhase phase);

// Operations of Mesos, each with an id of its own.
enum class VolumeStep { kReserve, kCreate, kDestroy, kUnreserve };
enum class StepState { kOpen, kDone, kFailed };

struct VolumeRecord {
  std::string id;  // of the persistence; unique for all time
  MemberId member;
  std::string path;
  Bytes size;
  std::string role;  // of its reservation
  AgentId agent;
  std::string hostname;
  VolumePhase phase = VolumePhase::kMaking;
  int removals = 0;                       // that were tried
  std::map<VolumeStep, StepState> steps;  // of which something is still to be heard
  Instant since;                          // of the phase

  bool operator==(const VolumeRecord&) const = default;
};

}  // namespace kiln::scheduler
