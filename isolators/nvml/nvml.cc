#include "isolators/nvml/nvml.h"

#include <dlfcn.h>

#include <algorithm>
#include <charconv>
#include <sstream>

#include "base/file.h"
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
// What a device answers that has fallen off the bus, waits for a reset, or is in no known state.
constexpr NvmlReturn kNvmlGpuIsLost = 15;
constexpr NvmlReturn kNvmlResetRequired = 16;
constexpr NvmlReturn kNvmlUnknown = 999;
constexpr unsigned kMigEnabled = 1;
constexpr int kP2pOverNvlink = 2;  // of nvmlGpuP2PCapsIndex_t
constexpr int kP2pOk = 0;
constexpr unsigned kUuidBytes = 96;
constexpr unsigned kNameBytes = 96;
// nvmlGpuTopologyLevel_t: how far up the tree the common ancestor of two devices stands.
constexpr int kTopologySameSwitchMax = 20;  // internal 0, single switch 10, multiple switches 20
constexpr int kTopologySameSocketMax = 40;  // host bridge 30, NUMA node 40

std::vector<std::string> CapabilitiesOf(int minor, int gpu_instance, int compute_instance) {
  const std::string instance = fmt::format("gpu{}/mig/gi{}/", minor, gpu_instance);
  return {instance + "access", fmt::format("{}ci{}/access", instance, compute_instance)};
}

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
    BindOptional("nvmlDeviceGetP2PStatus", p2p_status_);
    BindOptional("nvmlDeviceGetMigMode", mig_mode_);
    BindOptional("nvmlDeviceGetMaxMigDeviceCount", slices_max_);
    BindOptional("nvmlDeviceGetMigDeviceHandleByIndex", slice_);
    BindOptional("nvmlDeviceGetGpuInstanceId", gpu_instance_);
    BindOptional("nvmlDeviceGetComputeInstanceId", compute_instance_);
    KILN_TRY_OK(Check(init(), "nvmlInit"));
    return Bind("nvmlShutdown", shutdown_);
  }

  Result<GpuListing> Read() override {
    unsigned count = 0;
    KILN_TRY_OK(Check(count_(&count), "nvmlDeviceGetCount"));
    GpuListing listing;
    std::vector<NvmlDevice> handles;
    // The count includes devices that are lost or that this process may not ask: the others work.
    for (unsigned index = 0; index < count; ++index)
      if (const Status added = AddDevice(index, handles, listing); !added)
        listing.left_out.push_back(fmt::format("GPU {}: {}", index, added.error().message));
    ReadLinks(handles, listing.gpus);
    return listing;
  }

 private:
  template <typename Function>
  void BindOptional(const char* name, Function& function) {
    function = reinterpret_cast<Function>(dlsym(library_, name));
  }

  template <typename Function>
  Status Bind(const char* name, Function& function) {
    BindOptional(name, function);
    if (function != nullptr) return {};
    return Fail(ErrorCode::kNotFound, "NVML has no function {}, expected a driver of 2016 or newer",
                name);
  }

  Status Check(NvmlReturn code, const char* call) const {
    if (code == kNvmlSuccess) return {};
    return Fail(ErrorCode::kUnavailable, "{} failed: {}", call, error_string_(code));
  }

  // One handle for each GPU of the listing; a slice has no links, so its handle is null.
  Status AddDevice(unsigned index, std::vector<NvmlDevice>& handles, GpuListing& listing) const {
    NvmlDevice device = nullptr;
    unsigned minor = 0;
    KILN_TRY_OK(Check(handle_(index, &device), "nvmlDeviceGetHandleByIndex"));
    KILN_TRY(Gpu gpu, ReadDevice(device));
    KILN_TRY_OK(Check(minor_(device, &minor), "nvmlDeviceGetMinorNumber"));
    gpu.minor = static_cast<int>(minor);
    if (IsSliced(device)) {
      AddSlices(device, gpu, listing);
      handles.resize(listing.gpus.size());
      return {};
    }
    handles.push_back(device);
    listing.gpus.push_back(std::move(gpu));
    return {};
  }

  bool IsSliced(NvmlDevice device) const {
    unsigned current = 0, pending = 0;
    return mig_mode_ != nullptr && mig_mode_(device, &current, &pending) == kNvmlSuccess &&
           current == kMigEnabled;
  }

  void AddSlices(NvmlDevice device, const Gpu& whole, GpuListing& listing) const {
    unsigned slices = 0;
    if (slices_max_ != nullptr && slice_ != nullptr) (void)slices_max_(device, &slices);
    for (unsigned index = 0; index < slices; ++index) {
      NvmlDevice slice = nullptr;
      if (slice_(device, index, &slice) != kNvmlSuccess) continue;  // room for one, and none made
      if (const Status added = AddSlice(slice, whole, listing); !added)
        listing.left_out.push_back(
            fmt::format("slice {} of GPU {}: {}", index, whole.id.text, added.error().message));
    }
  }

  Status AddSlice(NvmlDevice slice, const Gpu& whole, GpuListing& listing) const {
    unsigned gpu_instance = 0, compute_instance = 0;
    KILN_TRY(Gpu gpu, ReadDevice(slice));
    if (gpu_instance_ == nullptr || compute_instance_ == nullptr)
      return Fail(ErrorCode::kNotFound, "NVML tells no instance ids, expected a newer driver");
    KILN_TRY_OK(Check(gpu_instance_(slice, &gpu_instance), "nvmlDeviceGetGpuInstanceId"));
    KILN_TRY_OK(
        Check(compute_instance_(slice, &compute_instance), "nvmlDeviceGetComputeInstanceId"));
    // "NVIDIA A100-SXM4-40GB MIG 1g.5gb"
    constexpr std::string_view kBeforeProfile = " MIG ";
    const size_t found = gpu.model.rfind(kBeforeProfile);
    if (found == std::string::npos)
      return Fail(ErrorCode::kUnavailable, "its name is \"{}\", expected MIG and the profile in it",
                  gpu.model);
    gpu.mig = gpu.model.substr(found + kBeforeProfile.size());
    gpu.model = whole.model;
    gpu.minor = whole.minor;
    listing.capabilities[gpu.id] = CapabilitiesOf(gpu.minor, static_cast<int>(gpu_instance),
                                                  static_cast<int>(compute_instance));
    listing.gpus.push_back(std::move(gpu));
    return {};
  }

  Result<Gpu> ReadDevice(NvmlDevice device) const {
    char uuid[kUuidBytes] = "", name[kNameBytes] = "";
    Gpu gpu;
    KILN_TRY_OK(Check(uuid_(device, uuid, sizeof uuid), "nvmlDeviceGetUUID"));
    KILN_TRY_OK(Check(name_(device, name, sizeof name), "nvmlDeviceGetName"));
    gpu.id.text = uuid;
    gpu.model = name;
    // Some healthy devices have no memory of their own to tell of.
    NvmlMemory memory{};
    const NvmlReturn asked = memory_(device, &memory);
    gpu.healthy = asked != kNvmlGpuIsLost && asked != kNvmlResetRequired && asked != kNvmlUnknown;
    gpu.memory.count = static_cast<int64_t>(memory.total);
    return gpu;
  }

  // The nearest way from one device to the other. That both have live NVLinks says nothing: they
  // may lead to other devices, so the pair itself is asked for.
  GpuLink LinkBetween(NvmlDevice one, NvmlDevice two) const {
    if (one == nullptr || two == nullptr) return GpuLink::kSystem;
    int status = 0, level = 0;
    if (p2p_status_ != nullptr && p2p_status_(one, two, kP2pOverNvlink, &status) == kNvmlSuccess &&
        status == kP2pOk)
      return GpuLink::kNvlink;
    if (ancestor_(one, two, &level) != kNvmlSuccess) return GpuLink::kSystem;
    return level <= kTopologySameSwitchMax   ? GpuLink::kPcieSwitch
           : level <= kTopologySameSocketMax ? GpuLink::kSocket
                                             : GpuLink::kSystem;
  }

  // Groups by the nearest link first. A device joins one only if it is so linked to each member.
  void ReadLinks(const std::vector<NvmlDevice>& handles, std::vector<Gpu>& gpus) const {
    for (const GpuLink link : {GpuLink::kNvlink, GpuLink::kPcieSwitch, GpuLink::kSocket}) {
      for (size_t first = 0; first < gpus.size(); ++first) {
        if (!gpus[first].link_group.empty()) continue;
        std::vector<size_t> group = {first};
        for (size_t next = first + 1; next < gpus.size(); ++next) {
          const bool near = std::all_of(group.begin(), group.end(), [&](size_t member) {
            return LinkBetween(handles[next], handles[member]) == link;
          });
          if (gpus[next].link_group.empty() && near) group.push_back(next);
        }
        if (group.size() == 1) continue;
        for (const size_t member : group) {
          gpus[member].link_group = std::to_string(first);
          gpus[member].link = link;
        }
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
  NvmlReturn (*p2p_status_)(NvmlDevice, NvmlDevice, int, int*) = nullptr;
  NvmlReturn (*mig_mode_)(NvmlDevice, unsigned*, unsigned*) = nullptr;
  NvmlReturn (*slices_max_)(NvmlDevice, unsigned*) = nullptr;
  NvmlReturn (*slice_)(NvmlDevice, unsigned, NvmlDevice*) = nullptr;
  NvmlReturn (*gpu_instance_)(NvmlDevice, unsigned*) = nullptr;
  NvmlReturn (*compute_instance_)(NvmlDevice, unsigned*) = nullptr;
};

// Takes "gi=7" out of a line, its value into `id`. Anything else stays in the line, for the parser
// of the inventory to take or to refuse.
void TakeId(std::string_view key, std::string& line, int& id) {
  const size_t at = line.find(key);
  if (at == std::string::npos) return;
  const char* from = line.data() + at + key.size();
  const char* end = line.data() + std::min(line.find_first_of(" \t\r", at + 1), line.size());
  if (std::from_chars(from, end, id).ptr == end)
    line.erase(at, static_cast<size_t>(end - line.data()) - at);
}

Result<GpuListing> ParseListing(const std::string& text) {
  struct Instances {
    int gpu = -1, compute = -1;
  };
  std::map<GpuId, Instances> slices;
  std::string plain;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line); plain += line + '\n') {
    line = line.substr(0, line.find('#'));
    std::string id;
    std::istringstream(line) >> id;
    Instances& instances = slices[{id}];
    TakeId(" gi=", line, instances.gpu);
    TakeId(" ci=", line, instances.compute);
  }
  GpuListing listing;
  KILN_TRY(listing.gpus, ParseGpuInventory(plain));
  for (const Gpu& gpu : listing.gpus)
    if (const auto [instance, compute] = slices[gpu.id]; instance >= 0 && compute >= 0)
      listing.capabilities[gpu.id] = CapabilitiesOf(gpu.minor, instance, compute);
  return listing;
}

class FileInventory final : public GpuInventory {
 public:
  explicit FileInventory(std::string path) : path_(std::move(path)) {}

  Result<GpuListing> Read() override {
    KILN_TRY(const std::string text, ReadFile(path_));
    auto listing = ParseListing(text);
    if (!listing) return Failure(Within(path_, listing.error()));
    return listing;
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
