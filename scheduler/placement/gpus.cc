#include "scheduler/placement/gpus.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <map>

#include "scheduler/placement/shape.h"

namespace kiln::scheduler {
namespace {

// "-nvidia-a100-sxm4-40gb-": words between dashes.
std::string Words(const std::string& text) {
  std::string words = "-";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0) {
      words += static_cast<char>(std::tolower(byte));
    } else if (words.back() != '-') {
      words += '-';
    }
  }
  if (words.back() != '-') words += '-';
  return words;
}

std::optional<GpuLink> LinkOf(const std::string& name) {
  if (name == "nvlink") return GpuLink::kNvlink;
  if (name == "pcie") return GpuLink::kPcieSwitch;
  if (name == "socket") return GpuLink::kSocket;
  return std::nullopt;
}

// Free acceptable devices in sets that are joined as the request asks; one set if it does not ask.
std::vector<std::vector<const Gpu*>> Sets(const GpuRequest& request, const Agent& agent,
                                          const std::vector<GpuId>& free) {
  if (free.empty()) return {};
  const auto link = LinkOf(request.link);
  std::map<std::string, std::vector<const Gpu*>> by_group;
  for (const Gpu* gpu : Acceptable(request, agent)) {
    if (!std::binary_search(free.begin(), free.end(), gpu->id)) continue;
    if (link && (gpu->link_group.empty() || gpu->link > *link)) continue;
    by_group[link ? gpu->link_group : ""].push_back(gpu);
  }
  std::vector<std::vector<const Gpu*>> sets;
  for (auto& [name, set] : by_group) sets.push_back(std::move(set));
  return sets;
}

// Devices of small linked groups first, so that large ones stay whole.
void SmallGroupsFirst(std::vector<const Gpu*>& gpus) {
  std::map<std::string, int> sizes;
  for (const Gpu* gpu : gpus) {
    if (!gpu->link_group.empty()) ++sizes[gpu->link_group];
  }
  const auto rank = [&sizes](const Gpu* gpu) {
    const int size = gpu->link_group.empty() ? 0 : sizes[gpu->link_group];
    return std::tuple(size, gpu->link_group, gpu->id);
  };
  std::sort(gpus.begin(), gpus.end(),
            [&rank](const Gpu* a, const Gpu* b) { return rank(a) < rank(b); });
}

// The smallest linked group that has room for all of them, when there is one.
void PreferOneGroup(std::vector<const Gpu*>& gpus, int count) {
  std::map<std::string, std::vector<const Gpu*>> groups;
  for (const Gpu* gpu : gpus) {
    if (!gpu->link_group.empty()) groups[gpu->link_group].push_back(gpu);
  }
  const std::vector<const Gpu*>* best = nullptr;
  for (const auto& [name, group] : groups) {
    if (static_cast<int>(group.size()) < count) continue;
    if (best == nullptr || group.size() < best->size()) best = &group;
  }
  if (best != nullptr) gpus = std::vector<const Gpu*>(*best);
}

}  // namespace

bool IsModel(const std::string& wanted, const std::string& model) {
  return wanted.empty() || wanted == model || Words(model).find(Words(wanted)) != std::string::npos;
}

int MilliOf(const GpuRequest& request) {
  return std::max(1, static_cast<int>(std::ceil(request.share * 1000 - 1e-6)));
}

bool AcceptsAnyModel(const GpuRequest& request, const Gpu& gpu) {
  return gpu.healthy && gpu.mig == request.mig && gpu.memory >= request.memory;
}

namespace {

bool Accepts(const GpuRequest& request, const Gpu& gpu) {
  return AcceptsAnyModel(request, gpu) && IsModel(request.model, gpu.model);
}

}  // namespace

std::vector<const Gpu*> Acceptable(const GpuRequest& request, const Agent& agent) {
  std::vector<const Gpu*> gpus;
  // Most agents have devices of one model, and to compare models takes long.
  const Gpu* before = nullptr;
  bool is_model = false;
  for (const Gpu& gpu : agent.gpus) {
    if (before == nullptr || gpu.model != before->model) {
      is_model = IsModel(request.model, gpu.model);
    }
    before = &gpu;
    if (is_model && AcceptsAnyModel(request, gpu)) gpus.push_back(&gpu);
  }
  return gpus;
}

std::vector<GpuShare> PartsFor(const GpuRequest& request, const Agent& agent,
                               const Resources& free) {
  std::vector<GpuShare> parts = free.gpu_shares;
  for (const GpuId& id : free.gpu_ids) parts.push_back({id, 1000});
  std::erase_if(parts, [&](const GpuShare& part) {
    const auto gpu = std::find_if(agent.gpus.begin(), agent.gpus.end(),
                                  [&](const Gpu& one) { return one.id == part.id; });
    return !Accepts(request, gpu == agent.gpus.end() ? Gpu{.id = part.id} : *gpu);
  });
  return parts;
}

int MostTogether(const GpuRequest& request, const Agent& agent, const std::vector<GpuId>& free) {
  size_t most = 0;
  for (const auto& set : Sets(request, agent, free)) most = std::max(most, set.size());
  return static_cast<int>(most);
}

int MostFreeFor(const GpuRequest& request, const Agent& agent, const Resources& free) {
  const int counted = request.AnyDevice() ? free.gpus : 0;
  if (request.share == 0) return std::max(counted, MostTogether(request, agent, free.gpu_ids));
  int most = counted > 0 ? kWhole : 0;
  for (const GpuShare& part : PartsFor(request, agent, free)) most = std::max(most, part.milli);
  return most;
}

std::optional<GpuChoice> ChooseGpus(const GpuRequest& request, const Agent& agent,
                                    const Resources& free) {
  const int count = DevicesOf(request);
  if (count == 0) return GpuChoice{};
  std::vector<const Gpu*> best;
  for (auto& set : Sets(request, agent, free.gpu_ids)) {
    if (static_cast<int>(set.size()) < count) continue;
    if (best.empty() || set.size() < best.size()) best = std::move(set);
  }
  if (!best.empty()) {
    if (count > 1 && request.link.empty()) PreferOneGroup(best, count);
    SmallGroupsFirst(best);
    GpuChoice choice;
    for (int i = 0; i < count; ++i) choice.ids.push_back(best[static_cast<size_t>(i)]->id);
    std::sort(choice.ids.begin(), choice.ids.end());
    return choice;
  }
  if (request.AnyDevice() && free.gpus >= count) return GpuChoice{count, {}};
  return std::nullopt;
}

std::optional<GpuShare> ChooseShare(const GpuRequest& request, const Agent& agent,
                                    const Resources& free, int wanted_free) {
  const int milli = MilliOf(request);
  const auto rank = [wanted_free](const GpuShare& device) {
    return std::tuple(device.milli != wanted_free, device.milli, device.id);
  };
  std::optional<GpuShare> best;
  for (const GpuShare& device : PartsFor(request, agent, free)) {
    if (device.milli >= milli && (!best || rank(device) < rank(*best))) best = device;
  }
  if (best) best->milli = milli;
  return best;
}

void OpenDevice(const GpuId& device, Resources& free) {
  free -= {.gpu_ids = {device}};
  free += {.gpu_shares = {{device, kWhole}}};
}

void CloseDevice(const GpuId& device, Resources& free) {
  free -= {.gpu_shares = {{device, kWhole}}};
  free += {.gpu_ids = {device}};
}

void OpenDevices(const std::vector<GpuShare>& taken, Resources& free) {
  for (const GpuShare& share : taken) {
    const auto& whole = free.gpu_ids;
    if (std::binary_search(whole.begin(), whole.end(), share.id)) OpenDevice(share.id, free);
  }
}

void CloseDevices(Resources& free) {
  for (const GpuShare& share : std::vector<GpuShare>(free.gpu_shares)) {
    if (share.milli == kWhole) CloseDevice(share.id, free);
  }
}

}  // namespace kiln::scheduler
