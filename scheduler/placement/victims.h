// Those who may be evicted for one job, and what that costs.
#pragma once

#include <functional>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/role.h"
#include "scheduler/placement/preemption.h"

namespace kiln::scheduler {

// For whom somebody is to be evicted.
struct Preemptor {
  const Job* job = nullptr;
  std::string offers;          // the role of the offers that it uses
  std::string owed_quota;      // its role, or one above it, whose quota covers it; or empty
  bool moves = false;          // the others go on elsewhere, so that no right is needed
  std::set<std::string> stay;  // jobs that do not move
};

// Of what the cluster has of the resource of which it is most.
double ShareOf(const Amounts& amounts, const Amounts& total);

// Threads: one at a time. What runs and the sharing are borrowed.
class Victims {
 public:
  static constexpr double kNever = std::numeric_limits<double>::infinity();

  struct Candidate {
    const Task* task = nullptr;
    const RunningJob* job = nullptr;
    size_t team = 0;  // 0: none
    double cost = 0;  // when it goes alone
    bool out = false;
  };

  Victims(const Running& running, const Preemptor& preemptor, const Sharing& sharing,
          const PreemptionSettings& settings, Instant now);

  const std::vector<Candidate>& All() const { return candidates_; }
  const Running& running() const { return running_; }
  // Tasks of the same offers that end anyway.
  const std::vector<const Task*>& Leaving() const { return leaving_; }

  // What one place of `wanted` costs with this one out, and `ahead` of its team before it: of a
  // gang that has to go, its part. kNever: it may not go.
  double Price(size_t candidate, size_t wanted, int ahead) const;
  // The price is no lower than this, whoever of its team goes before it.
  double LeastPrice(size_t candidate, size_t wanted) const;
  // Its whole gang goes with it then.
  bool GoesWhole(size_t candidate, int ahead) const;
  // Who goes with one candidate: its gang, where that has to go too.
  struct Departure {
    std::vector<size_t> candidates;
    bool whole = false;  // all that was left of a gang
  };
  Departure Evict(size_t candidate);
  // They stay after all; false: they cannot, because others of the gang still go.
  bool Stay(const Departure& departure);

 private:
  // Tasks that depend on each other: of a gang, or of a group that keeps its last member.
  struct Team {
    std::vector<size_t> members;  // candidates
    bool gang = false;
    int spare = 0;       // so many may go one by one
    bool whole = false;  // the others may go together
    bool gone = false;   // they do
    double cost = 0;     // of all members that have not gone
    Amounts amounts{};   // theirs
  };
  // By job and group; a gang has one, without a name.
  using TeamNumbers = std::map<std::pair<const RunningJob*, std::string_view>, size_t>;
  struct Quota {
    Amounts quota{};
    Amounts used{};
  };

  static bool HasRightOver(const RunningJob& running, const Preemptor& preemptor,
                           const PreemptionSettings& settings);
  void Look(const RunningTask& one, const Preemptor& preemptor, const PreemptionSettings& settings,
            Instant now, TeamNumbers& numbers);
  size_t TeamOf(const RunningTask& one, TeamNumbers& numbers);
  double CostOf(const Task& task, Duration lost) const;
  // When it goes alone: a gang goes on without it.
  double PriceAlone(const Candidate& candidate) const;
  // When all of them go for one of `wanted` places.
  static double PriceTogether(const Team& team, size_t wanted);
  bool QuotaAllows(const RunningJob& job, const Amounts& amounts) const;
  void Charge(const RunningJob& job, const Amounts& amounts);
  void Move(const Departure& departure, bool out);

  const Running& running_;
  Amounts total_{};
  Duration restart_;
  std::vector<Candidate> candidates_;
  std::vector<const Task*> leaving_;
  std::vector<Team> teams_ = {{}};
  std::map<std::string, Quota, std::less<>> quotas_;  // of roles whose quota others heed
};

}  // namespace kiln::scheduler
