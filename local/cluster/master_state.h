// The nouns of a master's state: frameworks, agents, offers, tasks.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/time.h"
#include "local/cluster/offer_constraints.h"
#include "local/cluster/resources.h"
#include "proto/mesos/v1/mesos.pb.h"

namespace kiln::local {

using MasterTaskKey = std::pair<std::string, std::string>;      // framework id, task id
using MasterExecutorKey = std::pair<std::string, std::string>;  // framework id, executor id

struct MasterFramework {
  mesos::v1::FrameworkInfo info;  // with its id
  OfferConstraints constraints;
  std::string stream;      // of the current or last subscription
  bool connected = false;  // has an open stream
  bool recovered = false;  // known from agents only: it has not subscribed to this master
  Instant registered;
  Instant reregistered;
  std::optional<Instant> unregistered;
  std::optional<Instant> removal;    // when its failover timeout ends
  std::optional<Instant> heartbeat;  // the next one

  std::map<std::string, mesos::v1::Task> tasks;  // also terminal ones without acknowledgement
  std::deque<std::pair<std::string, mesos::v1::Task>> unreachable;
  std::deque<mesos::v1::Task> completed;
  std::set<std::string> offers;

  const std::string& id() const { return info.id().value(); }
  bool PartitionAware() const;
};

struct MasterAgent {
  mesos::v1::AgentInfo info;  // with its id
  std::string pid;
  std::string version;
  std::vector<mesos::v1::AgentInfo::Capability> capabilities;
  Resources total;
  bool connected = true;
  bool deactivated = false;  // by an operator
  std::optional<Instant> drain_start;
  Instant registered;
  std::optional<Instant> reregistered;

  std::set<MasterTaskKey> tasks;
  std::map<MasterExecutorKey, mesos::v1::ExecutorInfo> executors;
  std::set<std::string> offers;
  std::map<std::string, mesos::v1::Operation> operations;  // by uuid, until acknowledged
  std::map<MasterTaskKey, std::optional<mesos::v1::KillPolicy>> kills;  // until the task is gone

  // Pings: one each timeout; a missing answer counts.
  Instant next_ping;
  bool ponged = true;
  int missed = 0;

  const std::string& id() const { return info.id().value(); }
  bool active() const { return connected && !deactivated; }
};

struct MasterOffer {
  mesos::v1::Offer wire;  // in the reservations format, with allocation
  std::optional<Instant> end;

  const std::string& role() const { return wire.allocation_info().role(); }
};

// Asks a framework about the maintenance of an agent.
struct MasterInverseOffer {
  mesos::v1::InverseOffer wire;
  std::optional<Instant> end;
};

mesos::v1::URL UrlOf(const MasterAgent& agent);

// How long a declined offer is not made again; none: it may come at once.
std::optional<Duration> RefusedFor(const mesos::v1::Filters& filters);

struct OperatorSubscriber {
  std::string stream;
  Instant heartbeat;
};

}  // namespace kiln::local
