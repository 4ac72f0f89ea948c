// Which devices of an agent a member gets.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model/gpu.h"
#include "model/offer.h"
#include "model/resources.h"

namespace kiln::scheduler {

// How many devices a request is about.
inline int DevicesOf(const GpuRequest& request) { return request.share > 0 ? 1 : request.count; }

// A share in thousandths, rounded up.
int MilliOf(const GpuRequest& request);

// "A100" is the model of "NVIDIA_A100-SXM4-40GB"; "A10" is not. Letters compare without case.
bool IsModel(const std::string& wanted, const std::string& model);

// The device is healthy and has the memory and the profile, whatever its model.
bool AcceptsAnyModel(const GpuRequest& request, const Gpu& gpu);
// The devices of the agent that the request accepts one by one: model, memory, profile, health.
std::vector<const Gpu*> Acceptable(const GpuRequest& request, const Agent& agent);

// The most devices among these names that the request accepts together: joined by its link, when it
// names one.
int MostTogether(const GpuRequest& request, const Agent& agent, const std::vector<GpuId>& free);

// What is free of each device that the request accepts, shared already or not. A device that the
// inventory leaves out has no model and no memory.
std::vector<GpuShare> PartsFor(const GpuRequest& request, const Agent& agent,
                               const Resources& free);

// The most that the request could have of what is free there: thousandths of one device for a
// share, else devices that it accepts together.
int MostFreeFor(const GpuRequest& request, const Agent& agent, const Resources& free);

// The device for a share: one with exactly `wanted_free` thousandths free, when there is one; else
// the fullest that has room. A free device counts as well as one that is shared already. Nothing
// when no device with a name has room.
std::optional<GpuShare> ChooseShare(const GpuRequest& request, const Agent& agent,
                                    const Resources& free, int wanted_free);
// A free device is to be shared from here on; and the other way round.
void OpenDevice(const GpuId& device, Resources& free);
void CloseDevice(const GpuId& device, Resources& free);
// The free devices among those of which shares are taken.
void OpenDevices(const std::vector<GpuShare>& taken, Resources& free);
// Those of which all shares are free.
void CloseDevices(Resources& free);

// Named devices when the agent has them, else a count. The smallest linked set that is large enough
// is taken, so that larger ones stay whole. Nothing when the request cannot be met from `free`.
struct GpuChoice {
  int count = 0;
  std::vector<GpuId> ids;  // sorted

  bool operator==(const GpuChoice&) const = default;
};
std::optional<GpuChoice> ChooseGpus(const GpuRequest& request, const Agent& agent,
                                    const Resources& free);

}  // namespace kiln::scheduler
