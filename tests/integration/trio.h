// Three schedulers, a ZooKeeper and a Mesos, each on a machine of its own, and what happens to work
// while they are cut off from each other.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/integration/network.h"
#include "tests/support/process.h"
#include "tests/support/zookeeper_server.h"

namespace kiln::integration {

enum class Partition {
  kLeaderFromZookeeper,
  kLeaderFromMaster,
  kLeaderFromFollowers,
  kLeaderFromAll,
  kZookeeperFromAll,
};
inline constexpr Partition kPartitions[] = {
    Partition::kLeaderFromZookeeper, Partition::kLeaderFromMaster, Partition::kLeaderFromFollowers,
    Partition::kLeaderFromAll, Partition::kZookeeperFromAll};
const char* NameOf(Partition partition);  // "leader from ZooKeeper"

// Whoever of them ends is started again at once, as by a service manager. Threads: the network's.
class Trio {
 public:
  // The machines that the network has to have.
  static std::vector<std::string> Machines();
  // Starts all of it, and work that runs for as long as it.
  explicit Trio(Network& network);

  // Submits before, in and after a partition of this length; the seconds from the heal until the
  // last job has succeeded. None: it did not within a minute.
  std::optional<double> Suffer(Partition partition, std::chrono::milliseconds time);
  // What is wrong with the work so far, a sentence each: acknowledged and not done, done twice,
  // ended though it should live.
  std::vector<std::string> Faults();
  std::string Logs() const;

 private:
  struct Member {
    std::string machine;
    std::optional<support::Process> process;
  };

  std::string ApiOf(const Member& member) const;
  void StartMesos();
  void Tend();
  bool Until(const std::function<bool()>& done, std::chrono::milliseconds deadline);
  std::optional<size_t> Leader();
  // Acknowledged by one of them.
  bool Submit(const std::string& job, const std::string& text);
  std::string PhaseOf(const std::string& job);

  Network& network_;
  support::TempFolder folder_;
  std::optional<support::ZookeeperServer> zookeeper_;
  std::optional<support::Process> mesos_;
  std::string master_;
  std::vector<Member> members_;
  int number_ = 0;
  std::set<std::string> acknowledged_;  // jobs
};

}  // namespace kiln::integration
