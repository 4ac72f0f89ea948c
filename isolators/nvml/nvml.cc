#include "isolators/nvml/nvml.h"

#include <dlfcn.h>

#include <fstream>
#include <sstream>

#include "model/gpu_inventory.h"

namespace kiln::isolators {
namespace {

// The few declarations of NVML's stable C interface that Kiln calls.
using NvmlReturn = int;
using NvmlDevice = struct NvmlDeviceHandle*;
struct NvmlMemory {
  unsigned long long total, free, used;
};
constexpr NvmlReturn kNvmlSuccess = 0;
constexpr unsigned kUuidBytes = 96;
constexpr unsigned kNameBytes = 96;
constexpr unsigned kLinksMax = 18;
// nvmlGpuTopologyLevel_t: how far up the tree the common ancestor of two devices stands.
constexpr int kTopologySameSwitchMax = 20;  // internal 0, single switch 10, multiple switches 20
constexpr int kTopologySameSocketMax = 40;  // host bridge 30, NUMA node 40

class Nvml final : public GpuInventory {
 public:
  ~Nvml() override {
    if (shutdown_) shutdown_();
    if (library_ != nullptr) dlclose(library_);
  }

  Status Load(const std::string& library) {
    library_ = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library_ == nullptr)
      return Fail(ErrorCode::kNotFound, "NVML cannot be loaded: {}", dlerror());
    NvmlReturn (*init)() = nullptr;
    KILN_TRY_OK(Bind("nvmlInit_v2", init));
    KILN_TRY_OK(Bind("nvmlErrorString", error_string_));
    KILN_TRY_OK(Bind("nvmlDeviceGetCount_v2", count_));
    KILN_TRY_OK(Bind("nvmlDeviceGetHandleByIndex_v2", handle_));
    KILN_TRY_OK(Bind("nvmlDeviceGetUUID", uuid_));
    KILN_TRY_OK(Bind("nvmlDeviceGetName", name_));
    KILN_TRY_OK(Bind("nvmlDeviceGetMemoryInfo", memory_));
    KILN_TRY_OK(Bind("nvmlDeviceGetMinorNumber", minor_));
    KILN_TRY_OK(Bind("nvmlDeviceGetTopologyCommonAncestor", ancestor_));
    KILN_TRY_OK(Bind("nvmlDeviceGetNvLinkState", link_state_));
    KILN_TRY_OK(Check(init(), "nvmlInit"));
    return Bind("nvmlShutdown", shutdown_);
  }

  Result<std::vector<Gpu>> Read() override {
    unsigned count = 0;
    KILN_TRY_OK(Check(count_(&count), "nvmlDeviceGetCount"));
    std::vector<Gpu> gpus;
    std::vector<NvmlDevice> handles;
    for (unsigned index = 0; index < count; ++index) {
      NvmlDevice device = nullptr;
      KILN_TRY_OK(Check(handle_(index, &device), "nvmlDeviceGetHandleByIndex"));
      KILN_TRY(Gpu gpu, ReadDevice(device));
      gpus.push_back(std::move(gpu));
      handles.push_back(device);
    }
    ReadLinks(handles, gpus);
    return gpus;
  }

 private:
  template <typename Function>
  Status Bind(const char* name, Function& function) {
    function = reinterpret_cast<Function>(dlsym(library_, name));
    if (function != nullptr) return {};
    return Fail(ErrorCode::kNotFound, "NVML has no function {}, expected a driver of 2016 or newer",
                name);
  }

  Status Check(NvmlReturn code, const char* call) const {
    if (code == kNvmlSuccess) return {};
    return Fail(ErrorCode::kUnavailable, "{} failed: {}", call, error_string_(code));
  }

  Result<Gpu> ReadDevice(NvmlDevice device) const {
    char uuid[kUuidBytes] = "", name[kNameBytes] = "";
    unsigned minor = 0;
    Gpu gpu;
    KILN_TRY_OK(Check(uuid_(device, uuid, sizeof uuid), "nvmlDeviceGetUUID"));
    KILN_TRY_OK(Check(name_(device, name, sizeof name), "nvmlDeviceGetName"));
    KILN_TRY_OK(Check(minor_(device, &minor), "nvmlDeviceGetMinorNumber"));
    gpu.id.text = uuid;
    gpu.model = name;
    gpu.minor = static_cast<int>(minor);
    // A device that has fallen off the bus still has a name; its memory cannot be asked for.
    NvmlMemory memory{};
    gpu.healthy = memory_(device, &memory) == kNvmlSuccess;
    gpu.memory.count = static_cast<int64_t>(memory.total);
    return gpu;
  }

  bool HasNvlink(NvmlDevice device) const {
    for (unsigned link = 0; link < kLinksMax; ++link) {
      int active = 0;
      if (link_state_(device, link, &active) == kNvmlSuccess && active == 1) return true;
    }
    return false;
  }

  // A device joins the group of the first earlier device that is near: by NVLink when both have
  // live links, else by their common ancestor on the PCIe tree.
  void ReadLinks(const std::vector<NvmlDevice>& handles, std::vector<Gpu>& gpus) const {
    for (size_t i = 0; i < gpus.size(); ++i) {
      for (size_t j = 0; j < i && gpus[i].link_group.empty(); ++j) {
        int level = 0;
        if (ancestor_(handles[i], handles[j], &level) != kNvmlSuccess) continue;
        const GpuLink link = HasNvlink(handles[i]) && HasNvlink(handles[j]) ? GpuLink::kNvlink
                             : level <= kTopologySameSwitchMax              ? GpuLink::kPcieSwitch
                             : level <= kTopologySameSocketMax              ? GpuLink::kSocket
                                                                            : GpuLink::kSystem;
        if (link == GpuLink::kSystem) continue;
        if (gpus[j].link_group.empty()) {
          gpus[j].link_group = std::to_string(j);
          gpus[j].link = link;
        }
        if (gpus[j].link != link) continue;
        gpus[i].link_group = gpus[j].link_group;
        gpus[i].link = link;
      }
    }
  }

  void* library_ = nullptr;
  NvmlReturn (*shutdown_)() = nullptr;
  const char* (*error_string_)(NvmlReturn) = nullptr;
  NvmlReturn (*count_)(unsigned*) = nullptr;
  NvmlReturn (*handle_)(unsigned, NvmlDevice*) = nullptr;
  NvmlReturn (*uuid_)(NvmlDevice, char*, unsigned) = nullptr;
  NvmlReturn (*name_)(NvmlDevice, char*, unsigned) = nullptr;
  NvmlReturn (*memory_)(NvmlDevice, NvmlMemory*) = nullptr;
  NvmlReturn (*minor_)(NvmlDevice, unsigned*) = nullptr;
  NvmlReturn (*ancestor_)(NvmlDevice, NvmlDevice, int*) = nullptr;
  NvmlReturn (*link_state_)(NvmlDevice, unsigned, int*) = nullptr;
};

class FileInventory final : public GpuInventory {
 public:
  explicit FileInventory(std::string path) : path_(std::move(path)) {}

  Result<std::vector<Gpu>> Read() override {
    std::ifstream in(path_);
    if (!in) return Fail(ErrorCode::kNotFound, "GPU inventory {} cannot be read", path_);
    std::stringstream text;
    text << in.rdbuf();
    auto gpus = ParseGpuInventory(text.str());
    if (!gpus) return Failure(Within(path_, gpus.error()));
    return gpus;
  }

 private:
  std::string path_;
};

}  // namespace

Result<std::unique_ptr<GpuInventory>> LoadNvml(const std::string& library) {
  auto nvml = std::make_unique<Nvml>();
  KILN_TRY_OK(nvml->Load(library));
  return nvml;
}

std::unique_ptr<GpuInventory> InventoryFromFile(std::string path) {
  return std::make_unique<FileInventory>(std::move(path));
}

}  // namespace kiln::isolators
