// Mesos's offers, resources and task states as the model's values, and back.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "model/offer.h"
#include "model/resources.h"
#include "model/task.h"
#include "proto/mesos/v1/mesos.pb.h"
#include "wire/mesos/volumes.h"

namespace kiln::wire {

// What tasks may use: cpus, revocable cpus, mem, disk, ports, and GPUs by count and by name, summed
// over reservations; and volumes of ours. Left out: other revocable and shared resources, and disk
// that is another volume or a device, or that is reserved for a volume.
Resources ToResources(const ResourceList& list);

// `received` is when the offer came. An inventory of GPUs that cannot be read counts as none.
Offer ToOffer(const mesos::v1::Offer& offer, Instant received);

TaskState ToTaskState(mesos::v1::TaskState state);
// "EXECUTOR_TERMINATED"; empty when the status has no reason.
std::string ReasonName(const mesos::v1::TaskStatus& status);

// Deals out the resources of accepted offers (of one agent and one role) as Mesos wants to see them
// again: with the reservations and the allocation they were offered with. Not for several threads
// at once.
class OfferedResources {
 public:
  void Add(const ResourceList& list);
  // Resource objects that add up to `wanted`; they are gone from here. Reserved ones go first.
  // kResourceExhausted when they are not there; nothing is taken then.
  Result<ResourceList> Take(const Resources& wanted);
  // One object that is so much disk.
  Result<mesos::v1::Resource> TakeDisk(Bytes size);

 private:
  std::vector<mesos::v1::Resource> left_;  // reserved ones first
};

}  // namespace kiln::wire
