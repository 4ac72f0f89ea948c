// What GPUs this machine has: from NVIDIA's management library, loaded at run time, or from a text
// file.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/gpu.h"

namespace kiln::isolators {

// Threads: one. Owner: whoever loads it.
class GpuInventory {
 public:
  virtual ~GpuInventory() = default;
  // The devices as they are at this moment, in the order of their indices, with links and health.
  virtual Result<std::vector<Gpu>> Read() = 0;
};

// NVML of the installed driver. kNotFound where the library or a device is missing.
Result<std::unique_ptr<GpuInventory>> LoadNvml(const std::string& library = "libnvidia-ml.so.1");

// The file format of model/gpu_inventory.h, read anew each time, so that a test can make a device
// sick.
std::unique_ptr<GpuInventory> InventoryFromFile(std::string path);

}  // namespace kiln::isolators
