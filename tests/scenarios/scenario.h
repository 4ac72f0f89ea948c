// Reads and runs a scenario of placement; README.md has the lines it may hold.
#pragma once

#include <list>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "scheduler/lifecycle/durations.h"
#include "scheduler/lifecycle/quarantine.h"
#include "scheduler/lifecycle/volumes.h"
#include "scheduler/placement/claims.h"
#include "scheduler/placement/preemption.h"
#include "scheduler/placement/role_usage.h"

namespace kiln::scheduler {

class Scenario {
 public:
  // The first expectation that is not met, or line that cannot be read, with its number.
  Status Run(const std::string& text);

 private:
  using Words = std::vector<std::string>;
  using Values = std::map<std::string, std::string>;

  struct Entry {
    Job job;
    Instant since;
    MemberSet waiting;
    std::vector<Launch> launched;  // in the order of members
    std::vector<Launch> last;      // of the last cycle
    std::map<int, int> evictions;  // by member
    bool may_hold = true;
  };

  Status Line(const Words& words);
  Status AddAgent(const Words& words);
  Status AddGpu(const Words& words);
  Status AddJob(const Words& words);
  Status Refuse(const Words& words);
  Status AddRole(const Words& words);
  Status SetTime(const Words& words);
  Status Expect(const Words& words);
  Status ExpectStart(const Entry& entry, const Words& words) const;
  Status ExpectWait(const Entry& entry, const Words& words) const;
  Status ExpectForecast(const Entry& entry, const Words& words) const;
  Status ExpectOrder(const Words& words) const;
  // Where the offers come from that a job uses.
  std::string OfferRole(const Job& job) const;
  Sharing SharingNow() const;
  Snapshot SnapshotNow();
  void Cycle();
  void Preempt();
  void Start(Entry& entry, const Launch& launch);
  Launch WithVolumes(const Entry& entry, Launch launch);
  void RemoveVolumes(const Entry& entry);
  void End(Entry& entry);
  void EndOne(const Entry& entry, const Launch& launch);
  Status EndTasks(Entry& entry, const std::string& how);
  Status ExpectHealth(const Words& words) const;
  Result<Entry*> Find(const std::string& name);

  std::list<Entry> jobs_;
  std::map<std::string, Offer> agents_;
  WarmExecutors warm_;
  std::map<AgentId, std::vector<GpuShare>> shared_;  // what is free of devices that are shared
  RoleSettings roles_;
  Levels levels_ = DefaultLevels();
  std::map<AgentId, Agent> known_;
  std::vector<Claim> claims_;
  Running running_;
  PreemptionSettings preemption_;
  Words evicted_;                   // in the last cycle
  std::optional<RoleUsage> usage_;  // from the first cycle on
  Instant now_{1};
  Duration hold_ = std::chrono::seconds(30);
  Durations durations_;
  Outlook outlook_;  // of the last snapshot
  const Policy* policy_ = &kFill;
  Plan plan_;
  QuarantineSettings settings_;
  State state_;  // of which only the tasks, the suspicions and the volumes are in use
  Effects effects_;
  Quarantine quarantine_{settings_, state_, effects_};
  Settings all_settings_;
  Volumes volumes_{all_settings_, state_, effects_};
  LentToPlacement lent_;  // to the last snapshot
};

}  // namespace kiln::scheduler
