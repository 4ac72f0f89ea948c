// A job and its message in the store.
#pragma once

#include "base/result.h"
#include "model/job.h"
#include "proto/kiln/v1/state.pb.h"

namespace kiln::wire {

kiln::v1::Job ToProto(const Job& job);
// kDataLoss when a group has no work.
Result<Job> FromProto(const kiln::v1::Job& proto);

}  // namespace kiln::wire
