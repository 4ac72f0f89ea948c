#include "cli/commands/local_agents.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <thread>

#include "base/file.h"
#include "model/gpu_inventory.h"
#include "wire/rest/cluster_codec.h"

namespace kiln::cli {
namespace {

constexpr uint64_t kFileBytesMax = 1 << 20;
constexpr int kFirstPort = 31000;
constexpr int kPorts = 30000;

// What one agent has.
struct Having {
  double cpus = 0;
  double revocable_cpus = 0;
  double mem = 0;   // MiB
  double disk = 0;  // MiB
  std::vector<Gpu> gpus;
  std::map<std::string, std::string> attributes;
};

std::vector<Gpu> GpusOf(const wire::PretendedGpus& shape, size_t agent) {
  std::vector<Gpu> gpus;
  for (int i = 0; i < shape.count; ++i) {
    Gpu gpu{.id = {fmt::format("GPU-{}-{}", agent, i)},
            .model = shape.model,
            .memory = shape.memory,
            .minor = i};
    if (shape.linked > 0) {
      gpu.link = GpuLink::kNvlink;
      gpu.link_group = fmt::format("{}", i / shape.linked);
    }
    gpus.push_back(std::move(gpu));
  }
  return gpus;
}

std::vector<Having> OfFile(const std::vector<wire::AgentShape>& shapes) {
  std::vector<Having> agents;
  for (const wire::AgentShape& shape : shapes) {
    for (int i = 0; i < shape.count; ++i) {
      const size_t number = agents.size();
      Having agent{.cpus = shape.cpus,
                   .revocable_cpus = shape.revocable.cpus,
                   .mem = shape.mem.Megabytes(),
                   .disk = shape.disk.Megabytes(),
                   .gpus = GpusOf(shape.gpus, number + 1),
                   .attributes = shape.attributes};
      for (const auto& [name, values] : shape.spread) {
        agent.attributes[name] =
            fmt::format("{}{}", name, number % static_cast<size_t>(values) + 1);
      }
      agents.push_back(std::move(agent));
    }
  }
  return agents;
}

Result<std::vector<Having>> OfOptions(const LocalOptions& options) {
  Having agent;
  if (!options.gpus.empty()) {
    KILN_TRY(std::string text, ReadFile(options.gpus, kFileBytesMax));
    auto gpus = ParseGpuInventory(text);
    if (!gpus) return Failure(Within(options.gpus, gpus.error()));
    agent.gpus = *std::move(gpus);
  }
  const double machine = static_cast<double>(sysconf(_SC_PHYS_PAGES)) *
                         static_cast<double>(sysconf(_SC_PAGESIZE)) / (1 << 20);
  const auto space = std::filesystem::space(options.dir);
  agent.cpus = options.cpus > 0 ? options.cpus : std::thread::hardware_concurrency();
  agent.mem = options.mem.count > 0 ? options.mem.Megabytes() : machine / options.agents;
  agent.disk = static_cast<double>(space.available) / (1 << 20) / options.agents;
  return std::vector<Having>(static_cast<size_t>(options.agents), agent);
}

local::NodeAgent FlagsOf(const Having& agent, size_t number, int ports,
                         const std::string& programs) {
  const int first = kFirstPort + static_cast<int>(number - 1) * ports;
  std::string resources = fmt::format("--resources=cpus:{};mem:{:.0f};disk:{:.0f};ports:[{}-{}]",
                                      agent.cpus, agent.mem, agent.disk, first, first + ports - 1);
  if (agent.revocable_cpus > 0) resources += fmt::format(";cpus{{REV}}:{}", agent.revocable_cpus);
  std::string attributes;
  for (const auto& [name, value] : agent.attributes) {
    attributes += fmt::format("{}{}:{}", attributes.empty() ? "" : ";", name, value);
  }
  if (!agent.gpus.empty()) {
    std::string ids;
    for (const Gpu& gpu : agent.gpus) ids += (ids.empty() ? "" : ",") + gpu.id.text;
    resources += fmt::format(";{}:{{{}}}", kGpuResource, ids);
    attributes += fmt::format("{}{}:{}", attributes.empty() ? "" : ";", kGpuAttribute,
                              FormatGpuAttribute(agent.gpus));
  }
  local::NodeAgent node{.flags = {resources, fmt::format("--hostname=agent{}", number),
                                  "--launcher_dir=" + programs}};
  if (!attributes.empty()) node.flags.push_back("--attributes=" + attributes);
  return node;
}

Result<std::vector<Having>> Havings(const LocalOptions& options) {
  if (options.cluster.empty()) return OfOptions(options);
  KILN_TRY(const std::string text, ReadFile(options.cluster, kFileBytesMax));
  const auto shapes = wire::DecodeCluster(text);
  if (!shapes) return Failure(Within(options.cluster, shapes.error()));
  return OfFile(*shapes);
}

}  // namespace

Result<std::vector<local::NodeAgent>> LocalAgents(const LocalOptions& options,
                                                  const std::string& programs) {
  KILN_TRY(const std::vector<Having> agents, Havings(options));
  const int ports = std::min(1000, kPorts / static_cast<int>(agents.size()));
  std::vector<local::NodeAgent> nodes;
  for (const Having& agent : agents) {
    nodes.push_back(FlagsOf(agent, nodes.size() + 1, ports, programs));
  }
  return nodes;
}

}  // namespace kiln::cli
