// The Mesos isolator module `org_kiln_GpuIsolator`: opens to each container exactly the GPUs that
// its resources name. Built against the agent's own Mesos; the only file that sees Mesos's headers.
//
// Parameters: cgroups_root (the agent's, default "mesos"), inventory (a file in place of NVML). The
// agent's --isolation must turn cgroups/devices on too.
#include <mesos/mesos.hpp>
#include <mesos/module.hpp>
#include <mesos/module/isolator.hpp>
#include <mesos/slave/isolator.hpp>
#include <process/future.hpp>
#include <stout/hashset.hpp>
#include <stout/option.hpp>
#include <stout/try.hpp>

#include "isolators/cgroups/device_cgroup.h"
#include "isolators/cgroups/gpu_isolation.h"
#include "isolators/nvml/nvml.h"
#include "model/gpu_inventory.h"

namespace {

using kiln::GpuId;
using kiln::isolators::ContainerId;
using kiln::isolators::GpuIsolation;
using kiln::isolators::GpuWish;
using mesos::ContainerID;
using mesos::slave::ContainerConfig;
using mesos::slave::ContainerLaunchInfo;
using mesos::slave::ContainerState;
using process::Failure;
using process::Future;

// Named devices win over a count: an agent that offers names offers no count of Kiln's.
template <typename ResourceList>
GpuWish WishOf(const ResourceList& resources) {
  std::set<GpuId> names;
  int count = 0;
  for (const mesos::Resource& resource : resources) {
    if (resource.name() == kiln::kGpuResource)
      for (const std::string& item : resource.set().item()) names.insert({item});
    if (resource.name() == "gpus") count += static_cast<int>(resource.scalar().value());
  }
  if (!names.empty() || count == 0) return names;
  return count;
}

ContainerId IdOf(const ContainerID& id) { return {id.value()}; }

Future<Nothing> Answer(const kiln::Status& status) {
  if (!status) return Failure(status.error().message);
  return Nothing();
}

// Threads: the containerizer calls from its own actor, one call at a time.
class GpuIsolator final : public mesos::slave::Isolator {
 public:
  explicit GpuIsolator(GpuIsolation isolation) : isolation_(std::move(isolation)) {}

  Future<Nothing> recover(const std::vector<ContainerState>& states,
                          const hashset<ContainerID>& orphans) override {
    // What a container holds must be known before another is given anything.
    for (const ContainerState& state : states) {
      const kiln::Status recovered = isolation_.Recover(IdOf(state.container_id()));
      if (!recovered) return Failure(recovered.error().message);
    }
    for (const ContainerID& orphan : orphans) {
      const kiln::Status recovered = isolation_.Recover(IdOf(orphan));
      if (!recovered) return Failure(recovered.error().message);
    }
    return Nothing();
  }

  Future<Option<ContainerLaunchInfo>> prepare(const ContainerID& id,
                                              const ContainerConfig& config) override {
    const kiln::Status prepared = isolation_.Prepare(IdOf(id), WishOf(config.resources()));
    if (!prepared) return Failure(prepared.error().message);
    const auto held = isolation_.plan().HeldBy(IdOf(id));
    if (held.empty()) return None();
    std::string names;
    for (const GpuId& gpu : held) names += (names.empty() ? "" : ",") + gpu.text;
    ContainerLaunchInfo info;
    mesos::Environment::Variable* variable = info.mutable_environment()->add_variables();
    variable->set_name("NVIDIA_VISIBLE_DEVICES");
    variable->set_value(names);
    return info;
  }

  Future<Nothing> isolate(const ContainerID& id, pid_t) override {
    return Answer(isolation_.Isolate(IdOf(id)));
  }

  Future<Nothing> update(const ContainerID& id, const mesos::Resources& requests,
                         const google::protobuf::Map<std::string, mesos::Value::Scalar>&) override {
    return Answer(isolation_.Update(IdOf(id), WishOf(requests)));
  }

  Future<Nothing> cleanup(const ContainerID& id) override {
    isolation_.Cleanup(IdOf(id));
    return Nothing();
  }

 private:
  GpuIsolation isolation_;
};

mesos::slave::Isolator* Create(const mesos::Parameters& parameters) {
  kiln::isolators::GpuIsolationOptions options;
  std::unique_ptr<kiln::isolators::GpuInventory> inventory;
  for (const mesos::Parameter& parameter : parameters.parameter()) {
    if (parameter.key() == "cgroups_root") options.cgroups_root = parameter.value();
    if (parameter.key() == "inventory")
      inventory = kiln::isolators::InventoryFromFile(parameter.value());
  }
  const auto hierarchy = kiln::isolators::DeviceCgroup::FindHierarchy();
  if (!hierarchy) {
    LOG(ERROR) << "kiln GPU isolator: " << hierarchy.error().message;
    return nullptr;
  }
  options.hierarchy = *hierarchy;
  if (inventory == nullptr) {
    auto nvml = kiln::isolators::LoadNvml();
    if (!nvml) {
      LOG(ERROR) << "kiln GPU isolator: " << nvml.error().message;
      return nullptr;
    }
    inventory = *std::move(nvml);
    options.load_uvm = kiln::isolators::LoadUvm;
  }
  const auto listing = inventory->Read();
  if (!listing) {
    LOG(ERROR) << "kiln GPU isolator: " << listing.error().message;
    return nullptr;
  }
  for (const std::string& left_out : listing->left_out)
    LOG(WARNING) << "kiln GPU isolator: left out: " << left_out;
  auto isolation = GpuIsolation::Create(options, listing->gpus, listing->capabilities);
  if (!isolation) {
    LOG(ERROR) << "kiln GPU isolator: " << isolation.error().message;
    return nullptr;
  }
  LOG(INFO) << "kiln GPU isolator: " << listing->gpus.size() << " devices, attribute "
            << kiln::kGpuAttribute << ":" << kiln::FormatGpuAttribute(listing->gpus);
  return new GpuIsolator(*std::move(isolation));
}

}  // namespace

// The variable's name is the module's.
mesos::modules::Module<mesos::slave::Isolator> org_kiln_GpuIsolator(
    MESOS_MODULE_API_VERSION, MESOS_VERSION, "Kiln", "kiln@localhost",
    "GPUs by name through the devices cgroup", nullptr, Create);
