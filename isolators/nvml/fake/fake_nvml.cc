// A libnvidia-ml.so.1 for tests: NVML's C functions over the inventory file that KILN_FAKE_NVML
// names. The slices of one minor get a device in MIG mode above them. The GPU whose id is
// KILN_FAKE_NVML_LOST gives no handle; one without memory does not know its memory.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "isolators/nvml/nvml.h"

namespace {

constexpr int kSuccess = 0;
constexpr int kInvalidArgument = 2;
constexpr int kNotSupported = 3;
constexpr int kNotFound = 6;
constexpr int kGpuIsLost = 15;
constexpr int kUninitialized = 1;

struct Device {
  kiln::Gpu gpu;
  unsigned gpu_instance = 0, compute_instance = 0;
  std::vector<Device> slices;
};

std::vector<Device>& Devices() {
  static std::vector<Device> devices;
  return devices;
}

Device& DeviceAt(void* device) { return *static_cast<Device*>(device); }
const kiln::Gpu& At(void* device) { return DeviceAt(device).gpu; }

void Add(const kiln::Gpu& gpu, const std::vector<std::string>& capabilities) {
  if (gpu.mig.empty()) {
    Devices().push_back({gpu});
    return;
  }
  auto parent = std::find_if(Devices().begin(), Devices().end(),
                             [&](const Device& device) { return device.gpu.minor == gpu.minor; });
  if (parent == Devices().end())
    parent = Devices().insert(
        parent, {{.id = {"GPU-in-MIG-mode"}, .model = gpu.model, .minor = gpu.minor}});
  Device slice{gpu};
  if (capabilities.size() == 2)
    std::sscanf(capabilities[1].c_str(), "gpu%*d/mig/gi%u/ci%u", &slice.gpu_instance,
                &slice.compute_instance);
  parent->slices.push_back(std::move(slice));
}

int Copy(const std::string& text, char* to, unsigned length) {
  if (text.size() >= length) return kInvalidArgument;
  std::memcpy(to, text.c_str(), text.size() + 1);
  return kSuccess;
}

}  // namespace

extern "C" {

int nvmlInit_v2() {
  const char* path = std::getenv("KILN_FAKE_NVML");
  const auto listing = kiln::isolators::InventoryFromFile(path == nullptr ? "" : path)->Read();
  if (!listing) return kUninitialized;
  Devices().clear();
  for (const kiln::Gpu& gpu : listing->gpus) {
    const auto found = listing->capabilities.find(gpu.id);
    Add(gpu, found == listing->capabilities.end() ? std::vector<std::string>{} : found->second);
  }
  return kSuccess;
}
int nvmlShutdown() { return kSuccess; }
const char* nvmlErrorString(int code) {
  return code == kUninitialized ? "Uninitialized"
         : code == kGpuIsLost   ? "GPU is lost"
                                : "Unknown Error";
}
int nvmlDeviceGetCount_v2(unsigned* count) {
  *count = static_cast<unsigned>(Devices().size());
  return kSuccess;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void** device) {
  if (index >= Devices().size()) return kInvalidArgument;
  const char* lost = std::getenv("KILN_FAKE_NVML_LOST");
  if (lost != nullptr && Devices()[index].gpu.id.text == lost) return kGpuIsLost;
  *device = &Devices()[index];
  return kSuccess;
}
int nvmlDeviceGetUUID(void* device, char* to, unsigned length) {
  return Copy(At(device).id.text, to, length);
}
int nvmlDeviceGetName(void* device, char* to, unsigned length) {
  const kiln::Gpu& gpu = At(device);
  return Copy(gpu.mig.empty() ? gpu.model : gpu.model + " MIG " + gpu.mig, to, length);
}
int nvmlDeviceGetMemoryInfo(void* device, unsigned long long* memory) {
  if (!At(device).healthy) return kGpuIsLost;
  if (At(device).memory.count == 0) return kNotSupported;
  memory[0] = memory[1] = static_cast<unsigned long long>(At(device).memory.count);
  memory[2] = 0;
  return kSuccess;
}
int nvmlDeviceGetMinorNumber(void* device, unsigned* minor) {
  if (!At(device).mig.empty()) return kNotSupported;
  *minor = static_cast<unsigned>(At(device).minor);
  return kSuccess;
}
int nvmlDeviceGetTopologyCommonAncestor(void* one, void* two, int* level) {
  const bool joined = !At(one).link_group.empty() && At(one).link_group == At(two).link_group;
  *level = !joined ? 50 : At(one).link == kiln::GpuLink::kSocket ? 40 : 10;
  return kSuccess;
}
int nvmlDeviceGetP2PStatus(void* one, void* two, int, int* status) {
  const bool linked =
      At(one).link == kiln::GpuLink::kNvlink && At(one).link_group == At(two).link_group;
  *status = linked ? 0 : 5;
  return kSuccess;
}
int nvmlDeviceGetMigMode(void* device, unsigned* current, unsigned* pending) {
  *current = *pending = DeviceAt(device).slices.empty() ? 0 : 1;
  return kSuccess;
}
// There is room for one slice more than there are.
int nvmlDeviceGetMaxMigDeviceCount(void* device, unsigned* count) {
  *count = static_cast<unsigned>(DeviceAt(device).slices.size()) + 1;
  return kSuccess;
}
int nvmlDeviceGetMigDeviceHandleByIndex(void* device, unsigned index, void** slice) {
  if (index >= DeviceAt(device).slices.size()) return kNotFound;
  *slice = &DeviceAt(device).slices[index];
  return kSuccess;
}
int nvmlDeviceGetGpuInstanceId(void* slice, unsigned* id) {
  *id = DeviceAt(slice).gpu_instance;
  return kSuccess;
}
int nvmlDeviceGetComputeInstanceId(void* slice, unsigned* id) {
  *id = DeviceAt(slice).compute_instance;
  return kSuccess;
}
}
