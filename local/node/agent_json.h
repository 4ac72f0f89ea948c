// The old JSON endpoints of an agent, and its metrics.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "base/time.h"
#include "local/cluster/agent.h"
#include "proto/mesos/v1/agent.pb.h"
#include "wire/rest/json_fwd.h"

namespace kiln::local {

struct AgentView {
  const Agent* agent;
  const std::map<std::string, std::string>* flags;
  std::string folder;  // <work_dir>/slaves/<agent id>
  Instant started;
  Instant now;
};

std::string AgentStateJson(const AgentView& view);
std::string AgentFlagsJson(const std::map<std::string, std::string>& flags);
std::string AgentVersionJson(Instant started);
// /containers and, without the containers themselves, /monitor/statistics.
std::string AgentContainersJson(const AgentView& view,
                                const mesos::v1::agent::Response::GetContainers& containers,
                                bool statistics_only);
std::map<std::string, double> AgentMetrics(const AgentView& view);
// A message as other tools read it, whatever bytes its texts have.
wire::Json Parsed(const google::protobuf::Message& message);
// NAME_total, NAME_used and NAME_percent, of which agents and the master tell.
void AddUse(std::map<std::string, double>& metrics, const std::string& name, double total,
            double used);

}  // namespace kiln::local
