#include "scheduler/placement/plan.h"

namespace kiln::scheduler {

const char* BlockerName(Blocker blocker) {
  switch (blocker) {
    case Blocker::kNoOffers:
      return "NO_OFFERS";
    case Blocker::kCpus:
      return "CPUS";
    case Blocker::kRevocable:
      return "REVOCABLE";
    case Blocker::kMem:
      return "MEM";
    case Blocker::kDisk:
      return "DISK";
    case Blocker::kPorts:
      return "PORTS";
    case Blocker::kGpus:
      return "GPUS";
    case Blocker::kGpuModel:
      return "GPU_MODEL";
    case Blocker::kGpuMemory:
      return "GPU_MEMORY";
    case Blocker::kGpuLink:
      return "GPU_LINK";
    case Blocker::kConstraint:
      return "CONSTRAINT";
    case Blocker::kGang:
      return "GANG";
    case Blocker::kTopology:
      return "TOPOLOGY";
    case Blocker::kAfter:
      return "AFTER";
    case Blocker::kBackoff:
      return "BACKOFF";
    case Blocker::kRecovering:
      return "RECOVERING";
    case Blocker::kNotConnected:
      return "NOT_CONNECTED";
    case Blocker::kLimit:
      return "LIMIT";
    case Blocker::kNoModel:
      return "NO_MODEL";
    case Blocker::kPreempting:
      return "PREEMPTING";
    case Blocker::kQuarantine:
      return "QUARANTINE";
    case Blocker::kReserved:
      return "RESERVED";
    case Blocker::kVolume:
      return "VOLUME";
  }
  return "";
}

}  // namespace kiln::scheduler
