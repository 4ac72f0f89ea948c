// The scheduler's daemon in virtual time.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "scheduler/daemon/scheduler.h"
#include "tests/simulation/checks.h"
#include "tests/simulation/disk.h"
#include "tests/simulation/stage.h"

namespace kiln::simulation {

// What is to happen to the next commit.
enum class CommitFate { kDone, kRefused, kDoubted, kDiesBefore, kDiesAfter, kDiesBetweenCalls };

// One machine for schedulers.
class SchedulerHost {
 public:
  // `link`: the name of its cable in the network.
  SchedulerHost(Stage& stage, Checks& checks, Disk& disk, std::string link);
  ~SchedulerHost();

  void Start();
  // As kill -9 does, at any moment; what it has sent may still arrive.
  void Kill();
  bool up() const { return scheduler_ != nullptr; }
  // Null while it is dead.
  scheduler::Scheduler* get() { return scheduler_.get(); }
  uint64_t life() const { return life_; }
  const std::string& link() const { return link_; }
  // When it has died by itself, or by what a commit brought.
  void OnDeath(std::function<void()> function) { on_death_ = std::move(function); }

  void SetFate(CommitFate fate) { fate_ = fate; }
  void JumpClock(Duration by) { skew_ += by; }
  // Sees what arrives from the master.
  void Heard(const mesos::v1::scheduler::Event& event);

 private:
  class DiskStore;

  Result<scheduler::Revision> Commit(scheduler::Revision expected,
                                     std::span<const scheduler::Change> changes);
  bool GoesOut(const net::Request& request);
  void Die();

  Stage& stage_;
  Checks& checks_;
  Disk& disk_;
  const std::string link_;
  Duration skew_{};
  uint64_t life_ = 0;
  uint64_t seeds_ = 0;
  CommitFate fate_ = CommitFate::kDone;
  int calls_left_ = -1;  // until it dies; -1: it does not
  std::unique_ptr<Process> process_;
  std::unique_ptr<scheduler::Scheduler> scheduler_;
  std::function<void()> on_death_;
};

}  // namespace kiln::simulation
