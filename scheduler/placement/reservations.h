// What is kept for the job at the head of each role while a plan is made: EASY backfill (Lifka,
// 1995).
//
// The head is the first job that is refused and of which it is foreseen when it starts. Those
// behind it may use what it needs then only if they end before; the rest of its agents is open to
// all. Members of which nobody knows when they end stay off, until the start has come or has moved:
// an end that was expected and did not come is not expected any more.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "scheduler/placement/explain.h"
#include "scheduler/placement/forecast.h"
#include "scheduler/placement/ranking.h"

namespace kiln::scheduler {

// Without an outlook it keeps and foresees nothing. All arguments outlive it.
class Reservations {
 public:
  Reservations(const Snapshot& snapshot, const Policy& policy, std::vector<Room>& rooms,
               Ranking& ranking)
      : snapshot_(snapshot), policy_(policy), rooms_(rooms), ranking_(ranking) {}

  // When a member of the group starts that is refused for this cause; without a group, the gang.
  // The first of a role that has a start keeps what it needs.
  Estimate Foresee(const WaitingJob& job, const WaitingGroup* group, const Cause& cause);
  bool HasHead(const std::string& role) const;
  // A member of the group that starts at this moment ends before the head starts.
  bool EndsBefore(const WaitingJob& job, const Group& group) const;
  // Rooms in which something is kept for the head.
  const std::vector<size_t>& Kept(const std::string& role) const;
  // "fits only what is kept on 2 agents for job bert, ...".
  std::string Words(const std::string& role) const;
  void Started(size_t room, const Resources& charged, const WaitingJob& job, const Group& group);
  // Offers in which something is kept stay in hand when the start is near.
  void Hold(Plan& plan) const;

 private:
  struct Line {  // of a role
    std::unique_ptr<Forecast> forecast;
    size_t estimates = 0;
    std::string head;
    bool may_hold = false;
    Instant start;
    std::vector<size_t> kept;
  };
  struct Start {
    std::string role;
    AgentId agent;
    Resources taken;
    std::optional<End> end;
  };
  const Line* Find(const std::string& role) const;
  Estimate EstimateOf(const WaitingJob& job);
  void Keep(const WaitingJob& job, const Forecast::Booking& booking, Line& line);

  const Snapshot& snapshot_;
  const Policy& policy_;
  std::vector<Room>& rooms_;
  Ranking& ranking_;
  std::map<std::string, Line> lines_;
  bool keeps_ = false;  // something, for the head of some role
  std::vector<Start> started_;
};

}  // namespace kiln::scheduler
