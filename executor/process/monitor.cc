#include "executor/process/monitor.h"

#include <algorithm>

namespace kiln::executor {
namespace {

using mesos::v1::CheckInfo;
using mesos::v1::CheckStatusInfo;
using mesos::v1::HealthCheck;

HealthPolicy PolicyOf(const HealthCheck& check) {
  return {FromSeconds(check.delay_seconds()), FromSeconds(check.interval_seconds()),
          FromSeconds(check.grace_period_seconds()),
          static_cast<int>(check.consecutive_failures())};
}

Probe ProbeOf(const HealthCheck& check, const Surroundings& surroundings) {
  // Old frameworks leave the type out.
  if (check.has_http()) {
    return HttpProbe{static_cast<int>(check.http().port()),
                     check.http().has_path() ? check.http().path() : "/",
                     check.http().scheme() == "https"};
  }
  if (check.has_tcp()) return TcpProbe{static_cast<int>(check.tcp().port())};
  return CommandProbe{SpecOf(check.command(), surroundings)};
}

Probe ProbeOf(const CheckInfo& check, const Surroundings& surroundings) {
  if (check.has_http()) {
    return HttpProbe{static_cast<int>(check.http().port()),
                     check.http().has_path() ? check.http().path() : "/", false};
  }
  if (check.has_tcp()) return TcpProbe{static_cast<int>(check.tcp().port())};
  return CommandProbe{SpecOf(check.command().command(), surroundings)};
}

}  // namespace

HealthMonitor::HealthMonitor(net::Loop& loop, const HealthCheck& check,
                             const Surroundings& surroundings,
                             std::function<void(HealthTracker::Verdict)> on_verdict)
    : loop_(loop),
      check_(check),
      probe_(ProbeOf(check, surroundings)),
      tracker_(PolicyOf(check), loop.Now()),
      prober_(loop),
      on_verdict_(std::move(on_verdict)) {
  Plan();
}

void HealthMonitor::Plan() {
  Duration pause = std::max(tracker_.next() - loop_.Now(), Duration::zero());
  timer_ = loop_.After(pause, [this] {
    prober_.Look(probe_, FromSeconds(check_.timeout_seconds()), [this](std::optional<int> answer) {
      auto verdict = tracker_.OnProbe(Good(answer), loop_.Now());
      Plan();
      if (!verdict) return;
      auto on_verdict = on_verdict_;  // it may destroy this
      on_verdict(*verdict);
    });
  });
}

bool HealthMonitor::Good(std::optional<int> answer) const {
  if (!answer) return false;
  if (check_.has_http()) {
    const auto& statuses = check_.http().statuses();
    if (statuses.empty()) return *answer >= 200 && *answer < 400;
    return std::ranges::find(statuses, static_cast<uint32_t>(*answer)) != statuses.end();
  }
  return check_.has_tcp() ? *answer == 1 : *answer == 0;
}

CheckMonitor::CheckMonitor(net::Loop& loop, const CheckInfo& check,
                           const Surroundings& surroundings,
                           std::function<void(const CheckStatusInfo&)> on_change)
    : loop_(loop),
      check_(check),
      probe_(ProbeOf(check, surroundings)),
      last_(StatusOf(std::nullopt).SerializeAsString()),
      prober_(loop),
      on_change_(std::move(on_change)) {
  Plan(FromSeconds(check.delay_seconds()));
}

void CheckMonitor::Plan(Duration pause) {
  timer_ = loop_.After(pause, [this] {
    prober_.Look(probe_, FromSeconds(check_.timeout_seconds()), [this](std::optional<int> answer) {
      CheckStatusInfo status = StatusOf(answer);
      std::string bytes = status.SerializeAsString();
      Plan(FromSeconds(check_.interval_seconds()));
      if (bytes == std::exchange(last_, bytes)) return;
      auto on_change = on_change_;
      on_change(status);
    });
  });
}

// Without an answer the status names the type of check only.
CheckStatusInfo CheckMonitor::StatusOf(std::optional<int> answer) const {
  CheckStatusInfo status;
  if (check_.has_http()) {
    status.set_type(CheckInfo::HTTP);
    auto* http = status.mutable_http();
    if (answer) http->set_status_code(static_cast<uint32_t>(*answer));
  } else if (check_.has_tcp()) {
    status.set_type(CheckInfo::TCP);
    auto* tcp = status.mutable_tcp();
    if (answer) tcp->set_succeeded(*answer == 1);
  } else {
    status.set_type(CheckInfo::COMMAND);
    auto* command = status.mutable_command();
    if (answer) command->set_exit_code(*answer);
  }
  return status;
}

}  // namespace kiln::executor
