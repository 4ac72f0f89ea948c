// The old JSON endpoints of a master: /state, /frameworks and so on, as Mesos's tools read them.
#pragma once

#include <string>

#include "base/time.h"
#include "local/node/master_flags.h"
#include "proto/mesos/v1/master.pb.h"
#include "wire/net/http.h"

namespace kiln::local {

class Master;

std::string VersionJson(const std::string& version);
mesos::v1::master::Response VersionView(const std::string& version);
std::string FlagsJson(const MasterFlags& flags);
mesos::v1::master::Response FlagsView(const MasterFlags& flags);

std::string MetricsJson(const Master& master, Instant now);
mesos::v1::master::Response MetricsView(const Master& master, Instant now);

std::string StateJson(const Master& master, const MasterFlags& flags);
std::string SummaryJson(const Master& master);
// The query may have slave_id.
std::string AgentsJson(const Master& master, const net::Request& request);
// The query may have framework_id.
std::string FrameworksJson(const Master& master, const net::Request& request);
// The query may have limit, offset, order, framework_id and task_id.
std::string TasksJson(const Master& master, const net::Request& request);
std::string RolesJson(const Master& master);

}  // namespace kiln::local
