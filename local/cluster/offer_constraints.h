// Offer constraints of a framework: which agents a role wants to be offered. Pure.
#pragma once

#include <map>
#include <regex>
#include <set>
#include <string>

#include "local/cluster/validation.h"
#include "proto/mesos/v1/mesos.pb.h"
#include "proto/mesos/v1/scheduler.pb.h"

namespace kiln::local {

// Checked constraints with their compiled patterns. Empty: every agent is wanted.
class OfferConstraints {
 public:
  OfferConstraints() = default;
  // The objection in Mesos's words, or the constraints. Patterns match the whole text.
  static Objection Make(const mesos::v1::scheduler::OfferConstraints& wire,
                        const std::set<std::string>& roles, OfferConstraints* constraints);

  bool Wants(const std::string& role, const mesos::v1::AgentInfo& agent) const;
  const mesos::v1::scheduler::OfferConstraints& wire() const { return wire_; }

 private:
  bool Holds(const mesos::v1::scheduler::AttributeConstraint& constraint,
             const mesos::v1::AgentInfo& agent) const;

  mesos::v1::scheduler::OfferConstraints wire_;
  std::map<std::string, std::regex> patterns_;
};

}  // namespace kiln::local
