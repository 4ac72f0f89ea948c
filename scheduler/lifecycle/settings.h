// The times and amounts that the lifecycle goes by.
#pragma once

#include <set>
#include <string>

#include "base/time.h"
#include "model/resources.h"
#include "model/role.h"

namespace kiln::scheduler {

struct Settings {
  std::vector<std::string> roles = {"*"};  // of the framework; the first is the default
  RoleSettings sharing;                    // of these and of roles below them
  // A member that failed rests: the pause doubles with each failure, half of it at random.
  Duration rest_min = std::chrono::seconds(1);
  Duration rest_max = std::chrono::minutes(1);
  Duration sound_after = std::chrono::minutes(5);  // who ran so long begins again with rest_min
  // A task on an agent that is cut off is replaced after this time.
  Duration unreachable_wait = std::chrono::minutes(1);
  Duration kill_again = std::chrono::seconds(5);
  Duration first_reconciliation =
      std::chrono::seconds(10);  // nothing is launched before it, at most
  Duration reconcile_again_min = std::chrono::seconds(2);
  Duration reconcile_again_max = std::chrono::minutes(5);
  Duration reconcile_all = std::chrono::minutes(15);
  Duration executor_idle = std::chrono::minutes(1);          // then a shared executor is shut down
  Resources executor = {.cpus_milli = 100, .mem = MiB(64)};  // that it needs for itself
  size_t ended_jobs_max = 1000;                              // more are forgotten, the oldest first
  size_t attempts_kept = 5;                                  // ended tasks of one member
};

}  // namespace kiln::scheduler
