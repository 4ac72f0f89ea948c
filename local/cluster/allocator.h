// Who is offered what: the master's hierarchical allocator. Pure.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "base/time.h"
#include "local/cluster/offer_constraints.h"
#include "local/cluster/resources.h"
#include "proto/mesos/v1/mesos.pb.h"

namespace kiln::local {

// One of these has to be there, each with all its amounts.
using MinAllocatable = std::vector<std::map<std::string, double>>;

struct AllocatorOptions {
  Duration allocation_interval = std::chrono::seconds(1);
  bool filter_gpu_resources = true;
  MinAllocatable min_allocatable = {{{"cpus", 0.01}}, {{"mem", 32}}};
};

// Everything free of one agent that goes to one role of one framework.
struct Allocation {
  std::string framework_id;
  std::string role;
  std::string agent_id;
  Resources resources;  // with the role as their allocation
};

// Weighted fairness between roles and then between the frameworks of a role, by dominant share
// (DRF); an agent's remainder goes to one of them whole. A declined offer is not made again to the
// same framework, role and agent until its filter ends, unless it has grown.
// Only active frameworks and active agents take part. Resources are given and taken back by their
// allocation role.
class Allocator {
 public:
  explicit Allocator(AllocatorOptions options) : options_(std::move(options)) {}

  // Adds a framework, or changes it; `suppressed` are roles without offers.
  void SetFramework(const std::string& id, const mesos::v1::FrameworkInfo& info,
                    const std::set<std::string>& suppressed, OfferConstraints constraints);
  void Activate(const std::string& framework_id);
  // Its filters are forgotten.
  void Deactivate(const std::string& framework_id);
  void RemoveFramework(const std::string& id);
  // No roles: all.
  void Suppress(const std::string& framework_id, const std::set<std::string>& roles);
  void Revive(const std::string& framework_id, const std::set<std::string>& roles);
  const std::set<std::string>& Suppressed(const std::string& framework_id) const;

  // `used` is what already runs there, by framework.
  void AddAgent(const std::string& id, const mesos::v1::AgentInfo& info, Resources total,
                const std::map<std::string, Resources>& used);
  void RemoveAgent(const std::string& id);
  void SetAgentActive(const std::string& id, bool active);

  // The framework keeps these outside of an offer: a task that is there already.
  void Take(const std::string& framework_id, const std::string& agent_id,
            const Resources& resources);
  // They are free again. With `refuse`, the framework does not want them for this time.
  void Recover(const std::string& framework_id, const std::string& agent_id,
               const Resources& resources, std::optional<Duration> refuse, Instant now);

  // Gives out what is free, of these agents or of all.
  std::vector<Allocation> Allocate(Instant now, Random& random,
                                   const std::set<std::string>* agents = nullptr);

  // Active filters of a role, for the metrics.
  size_t Filters(const std::string& role, Instant now) const;
  // The dominant share of a role, from 0 to 1.
  double Share(const std::string& role) const;

 private:
  struct Filter {
    Resources refused;
    Instant end;
  };
  struct Framework {
    mesos::v1::FrameworkInfo info;
    std::set<std::string> roles;
    std::set<std::string> suppressed;
    OfferConstraints constraints;
    std::map<std::string, MinAllocatable> min_allocatable;  // by role
    bool active = false;
    // Asked for each agent and role, so read once.
    bool gpus = false;
    bool refinement = false;
    bool shared = false;
    bool revocable = false;
    std::map<std::pair<std::string, std::string>, std::vector<Filter>> filters;  // role, agent
    std::map<std::string, uint64_t> served;                                      // role: how often
  };
  struct Agent {
    mesos::v1::AgentInfo info;
    Resources total;
    Resources free;
    bool active = true;
    bool has_gpus = false;
  };
  struct Sums {
    std::map<std::string, double> scalars;
    uint64_t served = 0;
  };

  void AllocateAgent(const std::string& agent_id, Agent& agent, Instant now,
                     std::vector<Allocation>& out);
  std::vector<std::string> RolesInOrder() const;
  std::vector<std::string> FrameworksInOrder(const std::string& role) const;
  Resources Offerable(const Framework& framework, const std::string& role,
                      const Agent& agent) const;
  bool Allocatable(const Framework& framework, const std::string& role,
                   const Resources& resources) const;
  bool Filtered(Framework& framework, const std::string& role, const std::string& agent_id,
                const Resources& resources, Instant now);
  double ShareOf(const std::map<std::string, double>& scalars) const;
  void Count(const std::string& framework_id, const Resources& resources, int sign);

  AllocatorOptions options_;
  std::map<std::string, Framework> frameworks_;
  std::map<std::string, Agent> agents_;
  std::map<std::string, double> cluster_;                                // scalars of all agents
  std::map<std::string, Sums> roles_;                                    // given out
  std::map<std::pair<std::string, std::string>, Sums> role_frameworks_;  // role, framework
};

}  // namespace kiln::local
