// Persistent volumes as Mesos wants to see them: in offers, and in the operations that make and
// remove them.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "model/offer.h"
#include "proto/mesos/v1/mesos.pb.h"

namespace kiln::wire {

using ResourceList = google::protobuf::RepeatedPtrField<mesos::v1::Resource>;
using OperationList = std::vector<mesos::v1::Offer::Operation>;

// The name of the volume that this is, or that it is reserved for; empty: it is nothing of a
// volume that Kiln made.
std::string VolumeIdOf(const mesos::v1::Resource& resource);
// All of an offer.
std::vector<OfferedVolume> VolumesOf(const ResourceList& list);

// A volume to be made, and the ids of the operations that do it.
struct VolumeOrder {
  std::string id;
  std::string path;
  std::string role;
  std::string principal;  // of the framework, or empty
  std::string reserve;
  std::string create;
};

// Makes the volume of this disk, which is as large as the volume: appends the operations, and gives
// what the disk becomes. Disk that belongs to a role already is not reserved again.
mesos::v1::Resource MakeVolume(mesos::v1::Resource disk, const VolumeOrder& order,
                               OperationList& operations);

// Appends what removes the volume from an offer that has it: DESTROY and UNRESERVE with these ids,
// each unless its id is empty. kNotFound when the offer does not have it.
Status RemoveVolume(const ResourceList& offered, const std::string& id, const std::string& destroy,
                    const std::string& unreserve, OperationList& operations);

}  // namespace kiln::wire
