// A libnvidia-ml.so.1 for tests: NVML's C functions over the inventory file that KILN_FAKE_NVML
// names.
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <vector>

#include "model/gpu_inventory.h"

namespace {

constexpr int kSuccess = 0;
constexpr int kInvalidArgument = 2;
constexpr int kGpuIsLost = 15;
constexpr int kUninitialized = 1;

std::vector<kiln::Gpu>& Gpus() {
  static std::vector<kiln::Gpu> gpus;
  return gpus;
}

const kiln::Gpu& At(void* device) { return *static_cast<kiln::Gpu*>(device); }

int Copy(const std::string& text, char* to, unsigned length) {
  if (text.size() >= length) return kInvalidArgument;
  std::memcpy(to, text.c_str(), text.size() + 1);
  return kSuccess;
}

}  // namespace

extern "C" {

int nvmlInit_v2() {
  const char* path = std::getenv("KILN_FAKE_NVML");
  std::ifstream in(path == nullptr ? "" : path);
  std::stringstream text;
  text << in.rdbuf();
  auto gpus = kiln::ParseGpuInventory(text.str());
  if (!in || !gpus) return kUninitialized;
  Gpus() = *std::move(gpus);
  return kSuccess;
}
int nvmlShutdown() { return kSuccess; }
const char* nvmlErrorString(int code) {
  return code == kUninitialized ? "Uninitialized"
         : code == kGpuIsLost   ? "GPU is lost"
                                : "Unknown Error";
}
int nvmlDeviceGetCount_v2(unsigned* count) {
  *count = static_cast<unsigned>(Gpus().size());
  return kSuccess;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void** device) {
  if (index >= Gpus().size()) return kInvalidArgument;
  *device = &Gpus()[index];
  return kSuccess;
}
int nvmlDeviceGetUUID(void* device, char* to, unsigned length) {
  return Copy(At(device).id.text, to, length);
}
int nvmlDeviceGetName(void* device, char* to, unsigned length) {
  return Copy(At(device).model, to, length);
}
int nvmlDeviceGetMemoryInfo(void* device, unsigned long long* memory) {
  if (!At(device).healthy) return kGpuIsLost;
  memory[0] = memory[1] = static_cast<unsigned long long>(At(device).memory.count);
  memory[2] = 0;
  return kSuccess;
}
int nvmlDeviceGetMinorNumber(void* device, unsigned* minor) {
  *minor = static_cast<unsigned>(At(device).minor);
  return kSuccess;
}
int nvmlDeviceGetTopologyCommonAncestor(void* one, void* two, int* level) {
  const bool joined = !At(one).link_group.empty() && At(one).link_group == At(two).link_group;
  *level = !joined ? 50 : At(one).link == kiln::GpuLink::kSocket ? 40 : 10;
  return kSuccess;
}
int nvmlDeviceGetNvLinkState(void* device, unsigned link, int* active) {
  *active = link == 0 && At(device).link == kiln::GpuLink::kNvlink;
  return kSuccess;
}
}
