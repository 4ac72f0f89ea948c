// What GPUs this machine has: from NVIDIA's management library, loaded at run time, or from a text
// file.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/gpu.h"

namespace kiln::isolators {

struct GpuListing {
  // In the order of their indices, with links and health. A device in MIG mode cannot be used
  // whole: its slices stand in its place.
  std::vector<Gpu> gpus;
  // Of each MIG slice the files of its two capabilities, below /proc/driver/nvidia/capabilities:
  // "gpu0/mig/gi1/access" and "gpu0/mig/gi1/ci0/access".
  std::map<GpuId, std::vector<std::string>> capabilities;
  // A sentence for each device or slice that does not even tell its name, and so is not listed.
  std::vector<std::string> left_out;

  bool operator==(const GpuListing&) const = default;
};

// Threads: one. Owner: whoever loads it.
class GpuInventory {
 public:
  virtual ~GpuInventory() = default;
  // What is there at this moment.
  virtual Result<GpuListing> Read() = 0;
};

// NVML of the installed driver. kNotFound where the library, or a function of it, is missing; a
// reading is kUnavailable where the devices cannot even be counted.
Result<std::unique_ptr<GpuInventory>> LoadNvml(const std::string& library = "libnvidia-ml.so.1");

// The file format of model/gpu_inventory.h, and of a slice also the ids of its GPU instance and its
// compute instance, as `nvidia-smi mig -lgi -lci` gives them:
//
//   MIG-7 model=A100 memory=5GiB minor=1 mig=1g.5gb gi=7 ci=0
//
// Read anew each time, so that a test can make a device sick.
std::unique_ptr<GpuInventory> InventoryFromFile(std::string path);

}  // namespace kiln::isolators
