// A small cluster for tests of who has to end, or to move, for one job that waits.
#pragma once

#include <algorithm>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "scheduler/placement/claims.h"
#include "scheduler/placement/moves.h"
#include "scheduler/placement/place.h"
#include "scheduler/placement/preemption.h"

namespace kiln::scheduler {

inline constexpr Instant kNow{1'000'000'000'000'000};

// Agents, what runs on them, and one job that waits.
class Cluster {
 public:
  Cluster() { snapshot_.agents = &agents_; }

  void AddAgent(const std::string& name, int64_t cpus) {
    agents_[{name}] = {.id = {name}, .hostname = name};
    free_[{name}] = {.cpus_milli = cpus * 1000, .mem = GiB(64)};
  }

  Job& AddJob(const std::string& name, int priority, int64_t cpus, int count, int gang = 0) {
    jobs_.push_back({.name = name,
                     .role = "*",
                     .priority = priority,
                     .groups = {{.name = "g",
                                 .count = count,
                                 .cpus_milli = cpus * 1000,
                                 .mem = GiB(1),
                                 .work = CommandWork{.shell = "true"}}},
                     .gang_members = gang});
    return jobs_.back();
  }

  bool Start(const Job& job, int index, const std::string& agent,
             Duration ago = std::chrono::hours(1)) {
    const Resources resources{.cpus_milli = job.groups[0].cpus_milli, .mem = job.groups[0].mem};
    if (!free_.at({agent}).Contains(resources)) return false;
    free_.at({agent}) -= resources;
    tasks_.push_back({.id = {fmt::format("{}.{}", job.name, index)},
                      .member = {job.name, "g", index},
                      .agent = {agent},
                      .resources = resources,
                      .state = TaskState::kRunning,
                      .launched = kNow - ago,
                      .started = kNow - ago});
    running_.Start(job, "*", 0, tasks_.back());
    Add(use_["*"].used, AmountsOf(resources));
    return true;
  }
  Task& LastTask() { return tasks_.back(); }
  void KillLast() {
    LastTask().kill_wanted = true;
    running_.Leave(LastTask());
  }
  std::list<Task>& tasks() { return tasks_; }
  const Job& JobOf(const Task& task) const {
    return *std::find_if(jobs_.begin(), jobs_.end(),
                         [&](const Job& job) { return job.name == task.member.job; });
  }

  std::optional<Eviction> Find(const Job& job) {
    Fill();
    return FindEviction(snapshot_, Waiting(job), running_, settings_, kPack, kNow);
  }
  std::vector<std::string> Victims(const Job& job) {
    std::vector<std::string> names;
    if (const auto eviction = Find(job)) {
      for (const TaskId& id : eviction->victims) names.push_back(id.text);
    }
    return names;
  }

  // The members of the job that start on the agents of the eviction when it is done.
  size_t StartedAfter(const Eviction& eviction, const Job& job) {
    std::map<AgentId, Resources> free = free_;
    for (const Task& task : tasks_) {
      const bool out =
          std::binary_search(eviction.victims.begin(), eviction.victims.end(), task.id);
      if (out) free.at(task.agent) += task.resources;
    }
    Snapshot after;
    for (const AgentId& agent : eviction.agents) {
      after.offers.push_back(
          {.agent = agents_.at(agent), .role = "*", .resources = free.at(agent)});
    }
    after.jobs = {Waiting(job)};
    return Place(after, kPack).launches.size();
  }

  // What starts of the job, and of those who move, when the eviction is done.
  std::vector<Launch> After(const Eviction& eviction, const Job& job) {
    Snapshot after{.jobs = {Waiting(job)}, .agents = &agents_};
    after.claims = ClaimsOf(eviction, kNow);
    std::map<AgentId, Resources> free = free_;
    std::map<std::string, int> stay;
    std::map<std::string, MemberSet> move;
    for (const Task& task : tasks_) {
      const bool moves = eviction.moves.contains(task.member);
      if (moves) free.at(task.agent) += task.resources;
      if (moves) move[task.member.job].Insert(task.member.index);
      if (!moves) ++stay[task.member.job];
    }
    for (const auto& [id, resources] : free) {
      after.offers.push_back({.agent = agents_.at(id), .role = "*", .resources = resources});
    }
    for (const Job& other : jobs_) {
      if (!move.contains(other.name)) continue;
      after.jobs.push_back(Waiting(other));
      after.jobs.back().groups[0].members = MemberRange(move.at(other.name));
      after.jobs.back().gang_needed = std::max(other.gang_members - stay[other.name], 0);
    }
    return PlaceByClaims(after, kPack).launches;
  }

  Snapshot& snapshot() { return snapshot_; }
  PreemptionSettings& settings() { return settings_; }
  std::optional<Instant>& expected() { return expected_; }

  // It has done so for ten minutes.
  WaitingJob Waiting(const Job& job) const {
    WaitingJob waiting{.job = &job,
                       .role = "*",
                       .since = kNow - std::chrono::minutes(10),
                       .gang_needed = job.gang_members,
                       .expected = expected_};
    waiting.groups = {{.group = &job.groups[0],
                       .members = MemberRange::First(static_cast<size_t>(job.groups[0].count)),
                       .in_gang = job.gang_members > 0}};
    return waiting;
  }

 private:
  void Fill() {
    snapshot_.offers.clear();
    Sharing sharing{.settings = &roles_, .use = use_};
    for (const auto& [id, free] : free_) {
      snapshot_.offers.push_back({.agent = agents_.at(id), .role = "*", .resources = free});
      Add(sharing.total, AmountsOf(free));
    }
    Add(sharing.total, use_["*"].used);
    snapshot_.sharing = sharing;
  }

  std::map<AgentId, Agent> agents_;
  std::map<AgentId, Resources> free_;
  std::list<Job> jobs_;
  std::list<Task> tasks_;
  std::map<std::string, RoleUse> use_;
  RoleSettings roles_;
  Running running_;
  PreemptionSettings settings_;
  std::optional<Instant> expected_;
  Snapshot snapshot_;
};

}  // namespace kiln::scheduler
