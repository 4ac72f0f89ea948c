// The GPUs of one agent as text: a file for people, and an agent attribute that travels with every
// offer.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/gpu.h"

namespace kiln {

// The name of the agent attribute, and of the set resource whose items are GPU ids.
inline constexpr const char* kGpuAttribute = "kiln_gpus";
inline constexpr const char* kGpuResource = "nvidia_gpu";

// A line a device; empty lines and what follows '#' are left out:
//
//   GPU-0 model=A100 memory=40GiB minor=0 link=nvlink:a
//   MIG-7 model=A100 memory=5GiB minor=1 mig=1g.5gb unhealthy
//
// link=KIND:NAME joins all devices of that name by nvlink, pcie or socket.
Result<std::vector<Gpu>> ParseGpuInventory(std::string_view text);

// The attribute keeps to what Mesos documents for text values (letters, digits, '_', '/', '.',
// '-'): devices joined by
// '/', in each id, model, MiB, minor, link kind and group, and of a slice the profile, joined by
// '.'. Other characters become '_'; in a profile '.' becomes '_' and '+' becomes '-', which is
// undone when it is read. Health does not travel: a sick device leaves the resource instead.
std::string FormatGpuAttribute(const std::vector<Gpu>& gpus);
Result<std::vector<Gpu>> ParseGpuAttribute(std::string_view text);

// "nvlink", "pcie", "socket", "system".
const char* GpuLinkName(GpuLink link);
Result<GpuLink> ParseGpuLink(std::string_view name);

}  // namespace kiln
