// What a master refuses at its door, in Mesos's words: calls, frameworks, ids. Pure.
#pragma once

#include <optional>
#include <set>
#include <string>

#include "proto/mesos/v1/master.pb.h"
#include "proto/mesos/v1/mesos.pb.h"
#include "proto/mesos/v1/scheduler.pb.h"

namespace kiln::local {

// Why something is refused; nothing when it is right.
using Objection = std::optional<std::string>;

// A call by itself: type, ids, its message ("Expecting 'accept' to be present"). `principal` is the
// authenticated one.
Objection ValidateCall(const mesos::v1::scheduler::Call& call,
                       const std::optional<std::string>& principal);
Objection ValidateCall(const mesos::v1::master::Call& call);

// Roles, id, offer filters, failover timeout.
Objection ValidateFramework(const mesos::v1::FrameworkInfo& info);
// What may not change while a framework lives; `update` for UPDATE_FRAMEWORK, where user and
// checkpoint count too.
Objection ValidateFrameworkChange(const mesos::v1::FrameworkInfo& old_info,
                                  const mesos::v1::FrameworkInfo& new_info, bool update);
Objection ValidateSuppressedRoles(const std::set<std::string>& roles,
                                  const std::set<std::string>& suppressed);
Objection ValidateRole(const std::string& role);
// Ids become directory names.
Objection ValidateId(const std::string& id);

bool HasCapability(const mesos::v1::FrameworkInfo& info,
                   mesos::v1::FrameworkInfo::Capability::Type type);
// `roles`, or `role` where the framework has no MULTI_ROLE.
std::set<std::string> RolesOf(const mesos::v1::FrameworkInfo& info);

}  // namespace kiln::local
