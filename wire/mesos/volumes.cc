#include "wire/mesos/volumes.h"

#include <algorithm>

namespace kiln::wire {
namespace {

using mesos::v1::Offer;
using mesos::v1::Resource;

constexpr const char* kLabel = "kiln_volume";

// The reservation was made for a volume; empty: it was not.
std::string LabelOf(const Resource& resource) {
  if (resource.reservations().empty()) return "";
  for (const auto& label : resource.reservations().rbegin()->labels().labels()) {
    if (label.key() == kLabel) return label.value();
  }
  return "";
}

Offer::Operation NewOperation(Offer::Operation::Type type, const std::string& id) {
  Offer::Operation operation;
  operation.set_type(type);
  operation.mutable_id()->set_value(id);
  return operation;
}

}  // namespace

std::string VolumeIdOf(const Resource& resource) {
  if (!resource.disk().has_persistence()) return LabelOf(resource);
  const std::string& id = resource.disk().persistence().id();
  return id.starts_with(kVolumePrefix) ? id : "";
}

std::vector<OfferedVolume> VolumesOf(const ResourceList& list) {
  std::vector<OfferedVolume> volumes;
  for (const Resource& resource : list) {
    const std::string id = VolumeIdOf(resource);
    if (id.empty()) continue;
    volumes.push_back(
        {.id = id, .made = resource.disk().has_persistence(), .reserved = LabelOf(resource) == id});
  }
  return volumes;
}

Resource MakeVolume(Resource disk, const VolumeOrder& order, OperationList& operations) {
  if (disk.reservations().empty()) {
    auto& reservation = *disk.add_reservations();
    reservation.set_type(Resource::ReservationInfo::DYNAMIC);
    reservation.set_role(order.role);
    if (!order.principal.empty()) reservation.set_principal(order.principal);
    auto& label = *reservation.mutable_labels()->add_labels();
    label.set_key(kLabel);
    label.set_value(order.id);
    operations.push_back(NewOperation(Offer::Operation::RESERVE, order.reserve));
    *operations.back().mutable_reserve()->add_resources() = disk;
  }
  auto& persistence = *disk.mutable_disk()->mutable_persistence();
  persistence.set_id(order.id);
  if (!order.principal.empty()) persistence.set_principal(order.principal);
  auto& volume = *disk.mutable_disk()->mutable_volume();
  volume.set_mode(mesos::v1::Volume::RW);
  volume.set_container_path(order.path);
  operations.push_back(NewOperation(Offer::Operation::CREATE, order.create));
  *operations.back().mutable_create()->add_volumes() = disk;
  return disk;
}

Status RemoveVolume(const ResourceList& offered, const std::string& id, const std::string& destroy,
                    const std::string& unreserve, OperationList& operations) {
  const auto found = std::find_if(offered.begin(), offered.end(), [&](const Resource& resource) {
    return VolumeIdOf(resource) == id;
  });
  if (found == offered.end()) {
    return Fail(ErrorCode::kNotFound, "volume {} is not in the offer", id);
  }
  Resource disk = *found;
  if (!destroy.empty()) {
    operations.push_back(NewOperation(Offer::Operation::DESTROY, destroy));
    *operations.back().mutable_destroy()->add_volumes() = disk;
    disk.clear_disk();
  }
  if (!unreserve.empty()) {
    operations.push_back(NewOperation(Offer::Operation::UNRESERVE, unreserve));
    *operations.back().mutable_unreserve()->add_resources() = disk;
  }
  return {};
}

}  // namespace kiln::wire
