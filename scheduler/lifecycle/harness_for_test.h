// A lifecycle with hands: what a test needs to be its users, its placement and its Mesos.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "scheduler/lifecycle/lifecycle.h"

namespace kiln::scheduler {

inline Job CommandJob(const std::string& name, int count) {
  return {.name = name,
          .kind = JobKind::kTraining,
          .groups = {{.name = "g", .count = count, .work = CommandWork{.shell = "true"}}}};
}

inline Job TrainingJob(const std::string& name, int count) {
  return {.name = name,
          .kind = JobKind::kTraining,
          .groups = {{.name = "g", .count = count, .work = TrainWork{.model = "m"}}}};
}

class Harness {
 public:
  explicit Harness(Settings settings = {}) : settings_(std::move(settings)) {
    life_ = std::make_unique<Lifecycle>(State{}, settings_, 1);
    Connect();
  }

  Lifecycle& life() { return *life_; }
  Instant now() const { return clock_.Now(); }
  Effects Take() { return life_->TakeEffects(); }

  void Connect() { life_->Subscribed("f-1", now()); }
  // The scheduler dies and comes back with what it had remembered.
  void Restart() {
    const State state = life_->state();
    life_ = std::make_unique<Lifecycle>(state, settings_, 2);
  }
  void Advance(Duration step) {
    clock_.Advance(step);
    life_->Tick(now());
  }

  void Submit(const Job& job, uint64_t digest = 1) {
    const Status status = life_->Submit(job, digest, now());
    EXPECT_TRUE(status) << status.error().message;
  }
  // Starts every member that may start, on one agent.
  std::vector<TaskId> PlaceAll(const std::string& agent) {
    std::vector<Launch> launches;
    for (const WaitingJob& job : life_->See(now()).jobs) {
      for (const WaitingGroup& group : job.groups) {
        for (const int index : group.members) {
          launches.push_back({{job.job->name, group.group->name, index}, {agent}, {{"o1"}}, {}});
        }
      }
    }
    life_->LaunchAll(launches, {{{agent}, {.id = {agent}, .hostname = agent}}}, now());
    std::vector<TaskId> tasks;
    starts_ = Take().starts;
    for (const LaunchCall& start : starts_) tasks.push_back(start.task);
    return tasks;
  }
  const std::vector<LaunchCall>& starts() const { return starts_; }

  void Tell(const TaskId& task, TaskState state, const std::string& reason = "",
            const std::string& message = "") {
    const auto known = life_->state().tasks.find(task);
    const AgentId agent = known == life_->state().tasks.end() ? AgentId{"a1"} : known->second.agent;
    life_->Update({.task = task,
                   .agent = agent,
                   .state = state,
                   .reason = reason,
                   .message = message,
                   .by_executor = state == TaskState::kRunning || state == TaskState::kFinished},
                  now());
  }

  // All that the job has begins on the agent; gives the first task, which runs.
  TaskId Start(const Job& job, const std::string& agent) {
    Submit(job);
    const TaskId task = PlaceAll(agent).at(0);
    Tell(task, TaskState::kRunning);
    return task;
  }

  JobPhase Phase(const std::string& job) const { return life_->state().jobs.at(job).phase; }
  const Task& TaskAt(const TaskId& task) const { return life_->state().tasks.at(task); }
  // Why a group waits that is not in the hands of placement.
  Refusal Why(const std::string& job, const std::string& group = "g") const {
    for (const Refusal& refusal : life_->See(now()).blocked) {
      if (refusal.job == job && refusal.group == group) return refusal;
    }
    ADD_FAILURE() << "nothing blocks " << job << " " << group;
    return {};
  }

 private:
  Settings settings_;
  ManualClock clock_;
  std::unique_ptr<Lifecycle> life_;
  std::vector<LaunchCall> starts_;
};

}  // namespace kiln::scheduler
