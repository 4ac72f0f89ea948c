// Work that has to live on while scheduler, executors and the local Mesos are killed under it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tests/integration/cluster.h"

namespace kiln::integration {

enum class Victim { kScheduler, kExecutor, kLocal };
inline constexpr Victim kVictims[] = {Victim::kScheduler, Victim::kExecutor, Victim::kLocal};
const char* NameOf(Victim victim);

// One job of commands that share devices, a hundred to an executor. Each start of a member leaves
// its number and its process. Threads: one.
class KillRounds {
 public:
  explicit KillRounds(int tasks);
  // Until all of them run.
  bool Start();
  // Kills one of them, starts it again, and waits until all tasks run as they did, but for those
  // that the killed executor held. What is wrong then: lost, started twice, or killed though it
  // should live.
  std::vector<std::string> Round(Victim victim);
  std::string Logs() const { return cluster_.Logs(); }

 private:
  // The processes that each member was started in, the last one last.
  std::map<int, std::vector<pid_t>> Starts() const;
  bool AllRun();
  std::vector<std::string> Compare(const std::map<int, std::vector<pid_t>>& before, pid_t killed,
                                   const std::map<int, pid_t>& executors) const;

  const int tasks_;
  Cluster cluster_;
  int rounds_ = 0;
};

}  // namespace kiln::integration
