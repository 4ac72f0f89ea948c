#include "model/resources.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"

namespace kiln {
namespace {

void AddPorts(std::vector<PortRange>& ports, const std::vector<PortRange>& more) {
  if (more.empty()) return;
  if (ports.empty()) {
    ports = more;
    return;
  }
  std::vector<PortRange> all = ports;
  all.insert(all.end(), more.begin(), more.end());
  std::sort(all.begin(), all.end(),
            [](const PortRange& a, const PortRange& b) { return a.begin < b.begin; });
  ports.clear();
  for (const PortRange& range : all) {
    if (!ports.empty() && range.begin <= ports.back().end + 1) {
      ports.back().end = std::max(ports.back().end, range.end);
    } else {
      ports.push_back(range);
    }
  }
}

void RemovePorts(std::vector<PortRange>& ports, const std::vector<PortRange>& less) {
  for (const PortRange& cut : less) {
    std::vector<PortRange> left;
    for (const PortRange& range : ports) {
      if (range.end < cut.begin || cut.end < range.begin) {
        left.push_back(range);
        continue;
      }
      if (range.begin < cut.begin) left.push_back({range.begin, cut.begin - 1});
      if (cut.end < range.end) left.push_back({cut.end + 1, range.end});
    }
    ports = std::move(left);
  }
}

std::vector<GpuShare>::iterator Find(std::vector<GpuShare>& shares, const GpuId& id) {
  return std::lower_bound(shares.begin(), shares.end(), GpuShare{id, 0});
}

void AddShare(std::vector<GpuShare>& shares, const GpuShare& more) {
  const auto found = Find(shares, more.id);
  if (found != shares.end() && found->id == more.id) {
    found->milli += more.milli;
  } else {
    shares.insert(found, more);
  }
}

}  // namespace

Resources& Resources::operator+=(const Resources& other) {
  cpus_milli += other.cpus_milli;
  revocable_cpus_milli += other.revocable_cpus_milli;
  mem = mem + other.mem;
  disk = disk + other.disk;
  gpus += other.gpus;
  if (gpu_ids.empty()) {
    gpu_ids = other.gpu_ids;
  } else if (!other.gpu_ids.empty()) {
    std::vector<GpuId> both;
    both.reserve(gpu_ids.size() + other.gpu_ids.size());
    std::set_union(gpu_ids.begin(), gpu_ids.end(), other.gpu_ids.begin(), other.gpu_ids.end(),
                   std::back_inserter(both));
    gpu_ids = std::move(both);
  }
  for (const GpuShare& share : other.gpu_shares) AddShare(gpu_shares, share);
  AddPorts(ports, other.ports);
  if (!other.volumes.empty()) {
    std::vector<NamedVolume> both;
    std::set_union(volumes.begin(), volumes.end(), other.volumes.begin(), other.volumes.end(),
                   std::back_inserter(both));
    volumes = std::move(both);
  }
  return *this;
}

Resources& Resources::operator-=(const Resources& other) {
  KILN_CHECK(Contains(other));
  cpus_milli -= other.cpus_milli;
  revocable_cpus_milli -= other.revocable_cpus_milli;
  mem = mem - other.mem;
  disk = disk - other.disk;
  gpus -= other.gpus;
  if (!other.gpu_ids.empty()) {
    std::vector<GpuId> left;
    std::set_difference(gpu_ids.begin(), gpu_ids.end(), other.gpu_ids.begin(), other.gpu_ids.end(),
                        std::back_inserter(left));
    gpu_ids = std::move(left);
  }
  for (const GpuShare& share : other.gpu_shares) Find(gpu_shares, share.id)->milli -= share.milli;
  std::erase_if(gpu_shares, [](const GpuShare& share) { return share.milli == 0; });
  RemovePorts(ports, other.ports);
  if (!other.volumes.empty()) {
    std::vector<NamedVolume> left;
    std::set_difference(volumes.begin(), volumes.end(), other.volumes.begin(), other.volumes.end(),
                        std::back_inserter(left));
    volumes = std::move(left);
  }
  return *this;
}

bool Resources::Contains(const Resources& other) const {
  const auto holds = [this](const PortRange& asked) {
    return std::any_of(ports.begin(), ports.end(), [&](const PortRange& range) {
      return range.begin <= asked.begin && asked.end <= range.end;
    });
  };
  const auto has_share = [this](const GpuShare& asked) {
    return std::any_of(gpu_shares.begin(), gpu_shares.end(), [&](const GpuShare& share) {
      return share.id == asked.id && share.milli >= asked.milli;
    });
  };
  return cpus_milli >= other.cpus_milli && revocable_cpus_milli >= other.revocable_cpus_milli &&
         mem >= other.mem && disk >= other.disk && gpus >= other.gpus &&
         std::includes(gpu_ids.begin(), gpu_ids.end(), other.gpu_ids.begin(),
                       other.gpu_ids.end()) &&
         std::all_of(other.gpu_shares.begin(), other.gpu_shares.end(), has_share) &&
         std::all_of(other.ports.begin(), other.ports.end(), holds) &&
         std::includes(volumes.begin(), volumes.end(), other.volumes.begin(), other.volumes.end());
}

bool Resources::Empty() const { return *this == Resources{}; }

int Resources::PortCount() const {
  int count = 0;
  for (const PortRange& range : ports) count += range.end - range.begin + 1;
  return count;
}

Resources Overlap(const Resources& a, const Resources& b) {
  Resources both{.cpus_milli = std::min(a.cpus_milli, b.cpus_milli),
                 .revocable_cpus_milli = std::min(a.revocable_cpus_milli, b.revocable_cpus_milli),
                 .mem = std::min(a.mem, b.mem),
                 .disk = std::min(a.disk, b.disk),
                 .gpus = std::min(a.gpus, b.gpus)};
  std::set_intersection(a.gpu_ids.begin(), a.gpu_ids.end(), b.gpu_ids.begin(), b.gpu_ids.end(),
                        std::back_inserter(both.gpu_ids));
  for (const GpuShare& share : a.gpu_shares) {
    for (const GpuShare& other : b.gpu_shares) {
      if (share.id != other.id) continue;
      both.gpu_shares.push_back({share.id, std::min(share.milli, other.milli)});
    }
  }
  for (const PortRange& range : a.ports) {
    for (const PortRange& other : b.ports) {
      const PortRange common{std::max(range.begin, other.begin), std::min(range.end, other.end)};
      if (common.begin <= common.end) both.ports.push_back(common);
    }
  }
  std::set_intersection(a.volumes.begin(), a.volumes.end(), b.volumes.begin(), b.volumes.end(),
                        std::back_inserter(both.volumes));
  return both;
}

std::string ToText(const Resources& resources) {
  std::string text;
  const auto add = [&text](const std::string& part) {
    if (!text.empty()) text += ", ";
    text += part;
  };
  if (resources.cpus_milli > 0) {
    add(fmt::format("cpus {}", static_cast<double>(resources.cpus_milli) / 1000));
  }
  if (resources.revocable_cpus_milli > 0) {
    add(fmt::format("revocable cpus {}",
                    static_cast<double>(resources.revocable_cpus_milli) / 1000));
  }
  if (resources.mem.count > 0) add("mem " + FormatBytes(resources.mem));
  if (resources.disk.count > 0) add("disk " + FormatBytes(resources.disk));
  if (resources.gpus > 0) add(fmt::format("gpus {}", resources.gpus));
  if (!resources.gpu_ids.empty()) {
    std::string names;
    for (const GpuId& id : resources.gpu_ids) names += (names.empty() ? "" : ", ") + id.text;
    add("gpus {" + names + "}");
  }
  if (!resources.gpu_shares.empty()) {
    std::string shares;
    for (const GpuShare& share : resources.gpu_shares) {
      shares += fmt::format("{}{} of {}", shares.empty() ? "" : ", ",
                            static_cast<double>(share.milli) / 1000, share.id.text);
    }
    add("gpus {" + shares + "}");
  }
  if (!resources.ports.empty()) {
    std::string ranges;
    for (const PortRange& range : resources.ports) {
      ranges += fmt::format("{}{}-{}", ranges.empty() ? "" : ", ", range.begin, range.end);
    }
    add("ports [" + ranges + "]");
  }
  if (!resources.volumes.empty()) {
    std::string names;
    for (const NamedVolume& volume : resources.volumes) {
      names += (names.empty() ? "" : ", ") + volume.id;
    }
    add("volumes {" + names + "}");
  }
  return text;
}

}  // namespace kiln
