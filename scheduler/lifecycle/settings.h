// The times and amounts that the lifecycle goes by.
#pragma once

#include <set>
#include <string>

#include "base/time.h"
#include "model/resources.h"
#include "model/role.h"
#include "scheduler/placement/levels.h"
#include "scheduler/placement/preemption.h"

namespace kiln::scheduler {

// When agents and devices that fail work are kept from it.
struct QuarantineSettings {
  // Failures that lie further apart have nothing to do with each other.
  Duration window = std::chrono::minutes(10);
  // Who fails so soon after its start, or loses its executor, weighs two; any other failure one.
  Duration soon = std::chrono::seconds(30);
  // The weights of so many unlike jobs together are evidence: three that fail at once.
  int evidence = 6;
  // Work that fails on so many agents, or on all there are, has its own fault.
  size_t agents_of_a_fault = 3;
  // At most this share of the agents is quarantined by evidence at a time, but one in any case.
  double share_max = 0.25;
  // The first quarantine; each further one is twice as long. Zero: nothing is judged.
  Duration min = std::chrono::minutes(2);
  Duration max = std::chrono::hours(4);
  Duration probe = std::chrono::minutes(1);  // work that runs so long on probation has done well
};

struct Settings {
  std::vector<std::string> roles = {"*"};  // of the framework; the first is the default
  RoleSettings sharing;                    // of these and of roles below them
  Levels topology = DefaultLevels();
  // A member that failed rests: the pause doubles with each failure, half of it at random.
  Duration rest_min = std::chrono::seconds(1);
  Duration rest_max = std::chrono::minutes(1);
  Duration sound_after = std::chrono::minutes(5);  // who ran so long begins again with rest_min
  // A task on an agent that is cut off is replaced after this time, unless its job says otherwise.
  Duration unreachable_wait = std::chrono::minutes(1);
  Duration kill_again = std::chrono::seconds(5);
  Duration first_reconciliation =
      std::chrono::seconds(10);  // nothing is launched before it, at most
  Duration reconcile_again_min = std::chrono::seconds(2);
  Duration reconcile_again_max = std::chrono::minutes(5);
  Duration reconcile_all = std::chrono::minutes(15);
  // A round asks for so many tasks at a time, with this pause between.
  size_t reconcile_portion = 20'000;
  Duration reconcile_pause = std::chrono::milliseconds(50);
  Duration executor_idle = std::chrono::minutes(1);          // then a shared executor is shut down
  Resources executor = {.cpus_milli = 100, .mem = MiB(64)};  // that it needs for itself
  // Operations on volumes of which nothing is heard are asked for after this time, then less often.
  Duration ask_operations_min = std::chrono::seconds(10);
  Duration ask_operations_max = std::chrono::minutes(5);
  // Offers are called for that have volumes nobody wants: at once, after this time, then less
  // often.
  Duration seek_volumes_min = std::chrono::seconds(5);
  Duration seek_volumes_max = std::chrono::hours(1);
  Duration seek_volumes_for = std::chrono::hours(24);  // later they are removed when they turn up
  size_t ended_jobs_max = 1000;                        // more are forgotten, the oldest first
  size_t attempts_kept = 5;                            // ended tasks of one member
  QuarantineSettings quarantine;
  PreemptionSettings preemption;
};

}  // namespace kiln::scheduler
