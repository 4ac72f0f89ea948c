// Health checks and checks of a running task.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "base/result.h"
#include "executor/process/command.h"
#include "executor/process/health.h"
#include "executor/process/probe.h"
#include "proto/mesos/v1/mesos.pb.h"

namespace kiln::executor {

// Looks at a task as its HealthCheck says, with Mesos's defaults, until it is destroyed.
// Threads: the loop's; so do callbacks come. `on_verdict` may destroy it.
class HealthMonitor {
 public:
  HealthMonitor(net::Loop& loop, const mesos::v1::HealthCheck& check,
                const Surroundings& surroundings,
                std::function<void(HealthTracker::Verdict)> on_verdict);

 private:
  void Plan();
  bool Good(std::optional<int> answer) const;

  net::Loop& loop_;
  mesos::v1::HealthCheck check_;
  Probe probe_;
  HealthTracker tracker_;
  Prober prober_;
  net::Handle timer_;
  std::function<void(HealthTracker::Verdict)> on_verdict_;
};

// The same for a CheckInfo: tells each answer that differs from the one before.
class CheckMonitor {
 public:
  CheckMonitor(net::Loop& loop, const mesos::v1::CheckInfo& check, const Surroundings& surroundings,
               std::function<void(const mesos::v1::CheckStatusInfo&)> on_change);

 private:
  void Plan(Duration pause);
  mesos::v1::CheckStatusInfo StatusOf(std::optional<int> answer) const;

  net::Loop& loop_;
  mesos::v1::CheckInfo check_;
  Probe probe_;
  std::string last_;  // serialized
  Prober prober_;
  net::Handle timer_;
  std::function<void(const mesos::v1::CheckStatusInfo&)> on_change_;
};

}  // namespace kiln::executor
