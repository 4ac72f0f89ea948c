// The decision of place.h on a cluster of which some agents or devices are barred.
#pragma once

#include "scheduler/placement/place.h"

namespace kiln::scheduler {

// A barred agent gets nothing; one that may be probed gets one member, the smallest that waits on
// its own and has a retry left. What would have room behind a bar says so. Pure, as Place is.
Plan PlaceAround(const Snapshot& snapshot, const Policy& policy);

// The same a part at a time: takes what it has use for out of the snapshot, which outlives it.
std::unique_ptr<Planning> BeginAround(Snapshot& snapshot, const Policy& policy);

// What every plan of a part of this cluster goes by: the same without offers, jobs, claims and an
// outlook.
Snapshot FrameOf(const Snapshot& snapshot);

// The offer without the devices that are barred.
Offer WithoutBarred(Offer offer, const Bar& bar);

}  // namespace kiln::scheduler
