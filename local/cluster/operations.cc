#include "local/cluster/operations.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <set>

namespace kiln::local {

using mesos::v1::FrameworkInfo;
using mesos::v1::Offer;
using mesos::v1::Resource;

namespace {

bool IsDynamic(const Resource& resource) {
  return resource.reservations_size() > 0 &&
         resource.reservations().rbegin()->type() == Resource::ReservationInfo::DYNAMIC;
}

const std::string& ReservationRole(const Resource& resource) {
  return resource.reservations().rbegin()->role();
}

Resource WithoutVolume(Resource resource) {
  resource.clear_shared();
  if (resource.disk().has_source()) {
    resource.mutable_disk()->clear_persistence();
    resource.mutable_disk()->clear_volume();
  } else {
    resource.clear_disk();
  }
  return resource;
}

Resource WithoutReservation(Resource resource) {
  if (resource.reservations_size() > 0) resource.mutable_reservations()->RemoveLast();
  return resource;
}

template <typename Change>
Resources Changed(const ResourceList& list, Change change) {
  Resources all;
  for (const Resource& resource : list) all += change(resource);
  return all;
}

Objection ValidateProvider(const ResourceList& resources) {
  std::set<std::string> providers;
  bool without = false;
  for (const Resource& resource : resources) {
    if (resource.has_provider_id()) {
      providers.insert(resource.provider_id().value());
    } else {
      without = true;
    }
  }
  if (providers.size() + (without ? 1 : 0) == 1) return std::nullopt;
  if (without) {
    return "Invalid resources: Some resources have a resource provider and some do not";
  }
  return fmt::format("Invalid resources: The resources have multiple resource providers: {}",
                     fmt::join(providers, ", "));
}

Objection ValidateDisk(const Resource& resource) {
  if (!resource.has_disk()) return std::nullopt;
  if (!resource.disk().has_persistence()) {
    if (resource.disk().has_volume()) return "Non-persistent volume not supported";
    if (!resource.disk().has_source()) return "DiskInfo is set but empty";
    return std::nullopt;
  }
  if (resource.has_revocable()) {
    return "Persistent volumes cannot be created from revocable resources";
  }
  if (resource.reservations_size() == 0) {
    return "Persistent volumes cannot be created from unreserved resources";
  }
  if (!resource.disk().has_volume()) {
    return "Expecting 'volume' to be set for persistent volume";
  }
  if (resource.disk().volume().has_host_path()) {
    return "Expecting 'host_path' to be unset for persistent volume";
  }
  if (Objection objection = ValidateId(resource.disk().persistence().id())) {
    return "Invalid persistence ID for persistent volume: " + *objection;
  }
  return std::nullopt;
}

Objection ValidateList(const ResourceList& resources) {
  for (const Resource& resource : resources) {
    if (Objection objection = ValidateDisk(resource)) return "Invalid resources: " + *objection;
    if (IsDynamic(resource) && resource.has_revocable()) {
      return fmt::format(
          "Invalid resources: Dynamically reserved resource {} cannot be created from revocable "
          "resources",
          ToText(resource));
    }
  }
  return ValidateProvider(resources);
}

Objection ValidateVolume(const Resource& volume) {
  if (!volume.has_disk()) {
    return fmt::format("Resource {} does not have DiskInfo", ToText(volume));
  }
  if (!volume.disk().has_persistence()) return "'persistence' is not set in DiskInfo";
  if (!volume.disk().has_volume()) return "Expecting 'volume' to be set for persistent volume";
  if (volume.disk().volume().mode() == mesos::v1::Volume::RO) {
    return "Read-only persistent volume not supported";
  }
  return std::nullopt;
}

Objection ValidateVolumes(const ResourceList& volumes) {
  for (const Resource& volume : volumes) {
    if (Objection objection = ValidateVolume(volume)) {
      return "Not a persistent volume: " + *objection;
    }
  }
  return std::nullopt;
}

Objection ValidateReservation(const Resource& resource, const FrameworkInfo& framework) {
  if (!IsDynamic(resource)) {
    return fmt::format("Resource {} is not dynamically reserved", ToText(resource));
  }
  const auto& reservation = *resource.reservations().rbegin();
  if (framework.has_principal()) {
    if (!reservation.has_principal()) {
      return fmt::format(
          "A reserve operation was attempted by principal '{}', but there is a reserved resource "
          "in the request with no principal set",
          framework.principal());
    }
    if (reservation.principal() != framework.principal()) {
      return fmt::format(
          "A reserve operation was attempted by authenticated principal '{}', which does not match "
          "a reserved resource in the request with principal '{}'",
          framework.principal(), reservation.principal());
    }
  }
  const std::string& role = resource.allocation_info().role();
  if (role != reservation.role()) {
    return fmt::format(
        "A reserve operation was attempted for a resource with role '{}', but the resource was "
        "allocated to role '{}'",
        reservation.role(), role);
  }
  if (!RolesOf(framework).count(role)) {
    return fmt::format(
        "A reserve operation was attempted for a resource allocated to role '{}', but the "
        "framework only has roles '{{ {} }}'",
        role, fmt::join(RolesOf(framework), ", "));
  }
  return std::nullopt;
}

// Resources that are reserved again, to another role.
Objection ValidateSource(const ResourceList& source, const ResourceList& target) {
  const auto plain = [](Resource resource) {
    resource.clear_reservations();
    return resource;
  };
  const Resources before = Changed(source, plain);
  const Resources after = Changed(target, plain);
  if (before == after) return std::nullopt;
  return fmt::format(
      "Source and target resources should refer to identical resource quantities: {} vs. {}",
      ToText(before), ToText(after));
}

Objection ValidateReserve(const Offer::Operation::Reserve& reserve,
                          const OperationContext& context) {
  if (Objection objection = ValidateList(reserve.resources())) return objection;
  if (reserve.source_size() > 0) {
    if (auto objection = ValidateSource(reserve.source(), reserve.resources())) return objection;
  }
  for (const Resource& resource : reserve.resources()) {
    if (auto objection = ValidateReservation(resource, *context.framework)) return objection;
  }
  return std::nullopt;
}

Objection ValidateUnreserve(const Offer::Operation::Unreserve& unreserve) {
  if (Objection objection = ValidateList(unreserve.resources())) return objection;
  for (const Resource& resource : unreserve.resources()) {
    if (!IsDynamic(resource)) {
      return fmt::format("Resource {} is not dynamically reserved", ToText(resource));
    }
    if (IsVolume(resource)) {
      return fmt::format(
          "A dynamically reserved persistent volume {} cannot be unreserved directly. Please "
          "destroy the persistent volume first then unreserve the resource",
          ToText(resource));
    }
  }
  return std::nullopt;
}

Objection ValidateCreate(const Offer::Operation::Create& create, const OperationContext& context) {
  if (Objection objection = ValidateList(create.volumes())) return objection;
  if (Objection objection = ValidateVolumes(create.volumes())) return objection;
  std::set<std::pair<std::string, std::string>> ids;  // role, persistence id
  for (const Resource& resource : context.total.items()) {
    if (IsVolume(resource)) {
      ids.emplace(ReservationRole(resource), resource.disk().persistence().id());
    }
  }
  for (const Resource& volume : create.volumes()) {
    const auto& persistence = volume.disk().persistence();
    if (!ids.emplace(ReservationRole(volume), persistence.id()).second) {
      return fmt::format("Persistence ID '{}' is not unique", persistence.id());
    }
    if (volume.has_shared()) return "Shared volumes are not supported by this master";
    const FrameworkInfo& framework = *context.framework;
    if (!framework.has_principal()) continue;
    if (!persistence.has_principal()) {
      return fmt::format(
          "Create volume operation attempted by principal '{}', but there is a volume in the "
          "operation with no principal set in 'disk.persistence'",
          framework.principal());
    }
    if (persistence.principal() != framework.principal()) {
      return fmt::format(
          "Create volume operation attempted by authenticated principal '{}', which does not match "
          "a volume in the operation with principal '{}' set in 'disk.persistence'",
          framework.principal(), persistence.principal());
    }
  }
  return std::nullopt;
}

Objection ValidateDestroy(const Offer::Operation::Destroy& destroy,
                          const OperationContext& context) {
  if (Objection objection = ValidateList(destroy.volumes())) return objection;
  if (Objection objection = ValidateVolumes(destroy.volumes())) return objection;
  const Resources volumes = Resources(destroy.volumes()).Unallocated();
  for (const Resource& volume : volumes.items()) {
    if (!context.total.Contains(volume)) return "Persistent volumes not found";
  }
  const Resources used = context.used.Unallocated();
  for (const Resource& volume : volumes.items()) {
    if (used.Contains(volume)) return "Persistent volumes in use";
  }
  return std::nullopt;
}

Objection ValidateGrow(const Offer::Operation::GrowVolume& grow) {
  if (grow.addition().scalar().value() <= 0) {
    return "The size of 'GrowVolume.addition' field must be greater than zero";
  }
  if (grow.volume().has_provider_id()) {
    return "Growing a volume from a resource provider is not supported";
  }
  if (Objection objection = ValidateVolume(grow.volume())) {
    return "Invalid persistent volume in the 'GrowVolume.volume' field: " + *objection;
  }
  if (grow.volume().has_shared()) return "Growing a shared persistent volume is not supported";
  if (!SameKind(WithoutVolume(grow.volume()), grow.addition())) {
    return "Incompatible resources in the 'GrowVolume.volume' and 'GrowVolume.addition' fields";
  }
  return std::nullopt;
}

Objection ValidateShrink(const Offer::Operation::ShrinkVolume& shrink) {
  if (shrink.subtract().value() <= 0) {
    return "Value of 'ShrinkVolume.subtract' must be greater than zero";
  }
  if (shrink.volume().scalar().value() <= shrink.subtract().value()) {
    return "Value of 'ShrinkVolume.subtract' must be smaller than the size of "
           "'ShrinkVolume.volume'";
  }
  if (shrink.volume().has_provider_id()) {
    return "Shrinking a volume from a resource provider is not supported";
  }
  if (shrink.volume().disk().source().type() == Resource::DiskInfo::Source::MOUNT) {
    return "Shrinking a volume on a MOUNT disk is not supported";
  }
  if (Objection objection = ValidateVolume(shrink.volume())) {
    return "Invalid persistent volume in the 'ShrinkVolume.volume' field: " + *objection;
  }
  if (shrink.volume().has_shared()) return "Shrinking a shared persistent volume is not supported";
  return std::nullopt;
}

}  // namespace

void ForEachResource(Offer::Operation* operation, const std::function<void(Resource&)>& visit) {
  if (operation->has_reserve()) {
    for (Resource& resource : *operation->mutable_reserve()->mutable_resources()) visit(resource);
    for (Resource& resource : *operation->mutable_reserve()->mutable_source()) visit(resource);
  }
  if (operation->has_unreserve()) {
    for (Resource& resource : *operation->mutable_unreserve()->mutable_resources()) {
      visit(resource);
    }
  }
  if (operation->has_create()) {
    for (Resource& volume : *operation->mutable_create()->mutable_volumes()) visit(volume);
  }
  if (operation->has_destroy()) {
    for (Resource& volume : *operation->mutable_destroy()->mutable_volumes()) visit(volume);
  }
  if (operation->has_grow_volume()) {
    visit(*operation->mutable_grow_volume()->mutable_volume());
    visit(*operation->mutable_grow_volume()->mutable_addition());
  }
  if (operation->has_shrink_volume()) visit(*operation->mutable_shrink_volume()->mutable_volume());
}

bool IsVolume(const Resource& resource) { return resource.disk().has_persistence(); }

Conversion ConversionOf(const Offer::Operation& operation) {
  const auto same = [](const Resource& resource) { return resource; };
  switch (operation.type()) {
    case Offer::Operation::RESERVE: {
      const auto& reserve = operation.reserve();
      const Resources to = Changed(reserve.resources(), same);
      if (reserve.source_size() > 0) return {Changed(reserve.source(), same), to};
      return {Changed(reserve.resources(), WithoutReservation), to};
    }
    case Offer::Operation::UNRESERVE:
      return {Changed(operation.unreserve().resources(), same),
              Changed(operation.unreserve().resources(), WithoutReservation)};
    case Offer::Operation::CREATE:
      return {Changed(operation.create().volumes(), WithoutVolume),
              Changed(operation.create().volumes(), same)};
    case Offer::Operation::DESTROY:
      return {Changed(operation.destroy().volumes(), same),
              Changed(operation.destroy().volumes(), WithoutVolume)};
    case Offer::Operation::GROW_VOLUME: {
      Conversion conversion;
      Resource grown = operation.grow_volume().volume();
      conversion.from += grown;
      conversion.from += operation.grow_volume().addition();
      grown.mutable_scalar()->set_value(grown.scalar().value() +
                                        operation.grow_volume().addition().scalar().value());
      conversion.to += grown;
      return conversion;
    }
    case Offer::Operation::SHRINK_VOLUME: {
      Conversion conversion;
      Resource shrunk = operation.shrink_volume().volume();
      conversion.from += shrunk;
      const double less = operation.shrink_volume().subtract().value();
      Resource rest = WithoutVolume(shrunk);
      rest.mutable_scalar()->set_value(less);
      shrunk.mutable_scalar()->set_value(shrunk.scalar().value() - less);
      conversion.to += shrunk;
      conversion.to += rest;
      return conversion;
    }
    case Offer::Operation::LAUNCH:
    case Offer::Operation::LAUNCH_GROUP:
    case Offer::Operation::CREATE_DISK:
    case Offer::Operation::DESTROY_DISK:
    case Offer::Operation::UNKNOWN:
      return {};
  }
  return {};
}

Objection ValidateOperation(const Offer::Operation& operation, const OperationContext& context) {
  switch (operation.type()) {
    case Offer::Operation::RESERVE:
      return ValidateReserve(operation.reserve(), context);
    case Offer::Operation::UNRESERVE:
      return ValidateUnreserve(operation.unreserve());
    case Offer::Operation::CREATE:
      return ValidateCreate(operation.create(), context);
    case Offer::Operation::DESTROY:
      return ValidateDestroy(operation.destroy(), context);
    case Offer::Operation::GROW_VOLUME:
      return ValidateGrow(operation.grow_volume());
    case Offer::Operation::SHRINK_VOLUME:
      return ValidateShrink(operation.shrink_volume());
    case Offer::Operation::CREATE_DISK:
    case Offer::Operation::DESTROY_DISK:
      return "'source' is not managed by a resource provider";
    case Offer::Operation::LAUNCH:
    case Offer::Operation::LAUNCH_GROUP:
    case Offer::Operation::UNKNOWN:
      return std::nullopt;
  }
  return std::nullopt;
}

std::vector<Resource> KeptResources(const Resources& total) {
  return total.Where([](const Resource& item) { return IsDynamic(item) || IsVolume(item); })
      .items();
}

Resources TotalResources(const mesos::v1::AgentInfo& agent, const std::vector<Resource>& kept) {
  Resources total;
  for (Resource resource : agent.resources()) {
    UpgradeResource(&resource);
    total += resource;
  }
  for (Resource resource : kept) {
    UpgradeResource(&resource);
    Resource plain = WithoutVolume(resource);
    while (IsDynamic(plain)) plain = WithoutReservation(plain);
    total -= plain;
    total += resource;
  }
  return total;
}

}  // namespace kiln::local
