// When what fits nowhere at this moment can start, and on which agents.
//
// An agent is a stack of layers: what is free, and what each task there gives back when it ends. At
// the first end after which enough members have room by their amounts, Place itself is asked; where
// it refuses, because of constraints, links or the topology, later ends are tried. What is foreseen
// for one job is not there for those behind it.
//
// Of the agents, so many are looked at that a forecast costs milliseconds on any cluster: those
// with offers first. A start is then never too early, but may be too late.
//
// Pure: no clock, no chance.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "scheduler/placement/outlook.h"
#include "scheduler/placement/plan.h"
#include "scheduler/placement/policy.h"
#include "scheduler/placement/rooms.h"
#include "scheduler/placement/snapshot.h"

namespace kiln::scheduler {

// Why nobody tells when it starts: to foresee it would cost too much.
inline constexpr const char* kTooMany = "none: too much waits before it";

// Of one role. The snapshot, its outlook and its offers outlive it.
class Forecast {
 public:
  Forecast(const Snapshot& snapshot, const Policy& policy, const std::vector<Room>& rooms,
           const std::string& role);

  struct Booking {
    Estimate estimate;
    // What is free at this moment and has to stay so, for a start at that time.
    std::map<AgentId, Resources> kept;
  };
  // For the gang of the job, or for one member of its only group. `job` is borrowed for the call.
  Booking Book(const WaitingJob& job);
  // Something starts at this moment, and gives back what it takes when it ends.
  void Take(const AgentId& agent, const Resources& taken, const std::optional<End>& end);
  // Something that is there already ends.
  void GiveBack(const AgentId& agent, const Resources& what, const End& end);

 private:
  struct Layer {
    Instant at;
    Resources what;
    bool bound = true;
  };
  struct Site {
    const Agent* agent;
    std::vector<Layer> layers;  // by time; the first is what is free
  };

  void AddSite(const Agent& agent, Resources free, const std::string& role);
  // The first time at which so many members have room by their amounts, and those after it at which
  // more have.
  std::vector<Instant> Times(const WaitingJob& job, size_t needed);
  // The launches of the job alone with what is free at that time; none if it does not fit.
  std::vector<Launch> At(const WaitingJob& job, Instant time) const;
  // The first of the times at which it fits, and its launches then.
  std::optional<std::pair<Instant, std::vector<Launch>>> First(const WaitingJob& job,
                                                               const std::vector<Instant>& times);
  void Take(const WaitingJob& job, Instant start, const std::vector<Launch>& launches,
            Booking& booking);
  // By its amounts, where nothing ran.
  bool EverFits(const WaitingJob& job);
  Site* Find(const AgentId& agent);
  static void Add(Site& site, Layer layer);

  const Snapshot& snapshot_;
  const Policy& policy_;
  const std::string role_;
  const size_t tasks_max_;
  std::vector<Site> sites_;          // by agent
  std::map<AgentId, Site> emptied_;  // with one layer of all that they have; made when needed
  size_t tasks_ = 0;                 // that were looked at
  size_t spent_ = 0;                 // layers that were looked at
  bool ends_ = false;                // some task has a known end
};

}  // namespace kiln::scheduler
