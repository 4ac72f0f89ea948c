#include "scheduler/placement/moves.h"

#include <algorithm>
#include <set>

#include "scheduler/placement/around.h"
#include "scheduler/placement/place.h"

namespace kiln::scheduler {
namespace {

// Members of one job that move.
struct Moving {
  const RunningJob* job = nullptr;
  bool whole = false;                                  // its gang starts again
  size_t count = 0;                                    // without a place
  std::map<std::string, MemberSet> members;            // by group
  std::map<std::string, std::vector<AgentId>> placed;  // where the others are

  bool Has(const MemberId& member) const {
    const auto group = members.find(member.group);
    return group != members.end() && group->second.Contains(member.index);
  }
};
using Movings = std::map<std::string, Moving>;

Movings MovingsOf(const Victims& victims, const std::vector<Victims::Departure>& departures) {
  Movings movings;
  std::set<const RunningJob*> jobs;
  for (const Victims::Departure& departure : departures) {
    for (const size_t number : departure.candidates) {
      const Victims::Candidate& one = victims.All()[number];
      Moving& moving = movings[one.task->member.job];
      moving.job = one.job;
      moving.whole = moving.whole || departure.whole;
      ++moving.count;
      moving.members[one.task->member.group].Insert(one.task->member.index);
      jobs.insert(one.job);
    }
  }
  for (const auto& [agent, tasks] : victims.running().Agents()) {
    for (const RunningTask& one : tasks) {
      if (!jobs.contains(one.job)) continue;
      const MemberId& member = one.task->member;
      Moving& moving = movings.at(member.job);
      if (!moving.Has(member)) moving.placed[member.group].push_back(agent);
    }
  }
  return movings;
}

WaitingJob WaitingOf(const Moving& moving) {
  const Job& job = *moving.job->job;
  WaitingJob waiting{.job = &job, .role = moving.job->role, .may_hold = false};
  if (moving.whole) waiting.gang_needed = std::max(job.gang_members - moving.job->finished, 0);
  for (const Group& group : job.groups) {
    const auto others = moving.placed.find(group.name);
    std::vector<AgentId> placed;
    if (others != moving.placed.end()) placed = others->second;
    const bool in_gang = IsInGang(job, group);
    if (in_gang) waiting.placed.insert(waiting.placed.end(), placed.begin(), placed.end());
    const auto members = moving.members.find(group.name);
    if (members == moving.members.end()) continue;
    waiting.groups.push_back({.group = &group,
                              .members = MemberRange(members->second),
                              .placed = std::move(placed),
                              .in_gang = in_gang});
  }
  return waiting;
}

std::string AgentsText(const std::vector<AgentId>& agents) {
  return agents.size() == 1 ? "agent " + agents[0].text : fmt::format("{} agents", agents.size());
}

}  // namespace

Refuge FindRefuge(const Snapshot& snapshot, const WaitingJob& job, const Plan& plan,
                  const Victims& victims, const std::vector<Victims::Departure>& departures,
                  const Policy& policy) {
  Snapshot trial = FrameOf(snapshot);
  trial.brief = true;
  trial.outlook = snapshot.outlook;
  std::set<AgentId> kept;
  for (const Claim& claim : snapshot.claims) kept.insert(claim.agents.begin(), claim.agents.end());
  for (const Launch& launch : plan.launches) {
    kept.insert(launch.agent);
    Add(trial.sharing->use[job.job->role].used, AmountsOf(launch.resources));
  }
  for (const Offer& offer : snapshot.offers) {
    const bool open = !kept.contains(offer.agent.id) && !snapshot.bars.contains(offer.agent.id);
    if (open) trial.offers.push_back(offer);
  }
  for (const WaitingJob& other : snapshot.jobs) {
    if (other.job != job.job) trial.jobs.push_back(other);
  }
  Movings movings = MovingsOf(victims, departures);
  for (const auto& [name, moving] : movings) trial.jobs.push_back(WaitingOf(moving));
  for (const Victims::Departure& departure : departures) {
    for (const size_t number : departure.candidates) {
      const Victims::Candidate& one = victims.All()[number];
      Subtract(trial.sharing->use[one.job->job->role].used, AmountsOf(one.task->resources));
    }
  }
  Refuge refuge;
  for (const Launch& launch : Place(trial, policy).launches) {
    const auto moving = movings.find(launch.member.job);
    if (moving == movings.end() || !moving->second.Has(launch.member)) continue;
    refuge.places.emplace(launch.member, launch.agent);
    --moving->second.count;
  }
  for (const auto& [name, moving] : movings) {
    if (moving.count > 0) refuge.stuck.insert(name);
  }
  return refuge;
}

std::vector<Claim> ClaimsOf(const Eviction& eviction, Instant until) {
  const bool moves = !eviction.moves.empty();
  std::vector<Claim> claims = {{eviction.job, eviction.members, eviction.agents, until,
                                fmt::format("waits for tasks on {} that {} for it",
                                            AgentsText(eviction.agents), moves ? "move" : "end")}};
  std::map<std::string, int> members;  // that move, by job
  std::set<AgentId> places;
  for (const auto& [member, agent] : eviction.moves) {
    ++members[member.job];
    places.insert(agent);
  }
  const std::vector<AgentId> agents(places.begin(), places.end());
  for (const auto& [job, count] : members) {
    claims.push_back({job, count, agents, until,
                      fmt::format("moves, for job {}: its place is kept on {}", eviction.job,
                                  AgentsText(agents))});
  }
  return claims;
}

std::optional<Instant> ExpectedStart(const std::string& job, const std::vector<Refusal>& refusals) {
  std::optional<Instant> first;
  for (const Refusal& refusal : refusals) {
    const auto& start = refusal.estimate.start;
    if (refusal.job == job && start && (!first || *start < *first)) first = start;
  }
  return first;
}

}  // namespace kiln::scheduler
