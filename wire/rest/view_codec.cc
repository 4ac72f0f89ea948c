#include "wire/rest/view_codec.h"

#include <ctime>

#include "model/gpu_inventory.h"
#include "wire/rest/json.h"

namespace kiln::wire {
namespace {

const char* ChargeName(Charge charge) {
  switch (charge) {
    case Charge::kNone:
      return "none";
    case Charge::kJob:
      return "job";
    case Charge::kCluster:
      return "cluster";
  }
  return "";
}

Json GpuToJson(const Gpu& gpu) {
  return {{"id", gpu.id.text},
          {"model", gpu.model},
          {"memory", FormatBytes(gpu.memory)},
          {"minor", gpu.minor},
          {"mig", gpu.mig},
          {"link_group", gpu.link_group},
          {"link", GpuLinkName(gpu.link)},
          {"healthy", gpu.healthy}};
}

}  // namespace

Json InstantToJson(Instant instant) {
  if (instant == Instant{}) return nullptr;
  const time_t seconds = instant.nanoseconds / 1'000'000'000;
  const int64_t milliseconds = instant.nanoseconds / 1'000'000 % 1000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", parts.tm_year + 1900,
                     parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                     milliseconds);
}

Json ResourcesToJson(const Resources& resources) {
  Json json = Json::object();
  if (resources.cpus_milli != 0) json["cpus"] = static_cast<double>(resources.cpus_milli) / 1000;
  if (resources.revocable_cpus_milli != 0) {
    json["revocable_cpus"] = static_cast<double>(resources.revocable_cpus_milli) / 1000;
  }
  if (resources.mem.count != 0) json["mem"] = FormatBytes(resources.mem);
  if (resources.disk.count != 0) json["disk"] = FormatBytes(resources.disk);
  if (resources.gpus != 0) json["gpus"] = resources.gpus;
  for (const GpuId& id : resources.gpu_ids) json["gpu_ids"].push_back(id.text);
  for (const GpuShare& share : resources.gpu_shares) {
    json["gpu_shares"][share.id.text] = static_cast<double>(share.milli) / 1000;
  }
  for (const PortRange& range : resources.ports) {
    json["ports"].push_back(range.begin == range.end
                                ? std::to_string(range.begin)
                                : fmt::format("{}-{}", range.begin, range.end));
  }
  for (const NamedVolume& volume : resources.volumes) {
    json["volumes"][volume.id] = FormatBytes(volume.size);
  }
  return json;
}

Json TaskToJson(const Task& task) {
  return {{"id", task.id.text},
          {"job", task.member.job},
          {"group", task.member.group},
          {"index", task.member.index},
          {"attempt", task.attempt},
          {"evictions", task.evictions},
          {"state", TaskStateName(task.state)},
          {"message", task.message},
          {"reason", task.reason},
          {"charge", ChargeName(task.charge)},
          {"healthy", task.healthy ? Json(*task.healthy) : Json()},
          {"fraction", task.fraction},
          {"endpoint", task.endpoint},
          {"result", task.result},
          {"preempted_by", task.preempted_by},
          {"checkpointed", InstantToJson(task.checkpointed)},
          {"agent_id", task.agent.text},
          {"hostname", task.hostname},
          {"executor_id", task.executor.text},
          {"resources", ResourcesToJson(task.resources)},
          {"launched", InstantToJson(task.launched)},
          {"started", InstantToJson(task.started)},
          {"ended", InstantToJson(task.ended)}};
}

Json AgentToJson(const Agent& agent) {
  Json attributes = Json::object();
  for (const auto& [name, value] : agent.attributes) attributes[name] = value;
  Json gpus = Json::array();
  for (const Gpu& gpu : agent.gpus) gpus.push_back(GpuToJson(gpu));
  return {{"id", agent.id.text}, {"hostname", agent.hostname}, {"region", agent.region},
          {"zone", agent.zone},  {"attributes", attributes},   {"gpus", gpus}};
}

}  // namespace kiln::wire
