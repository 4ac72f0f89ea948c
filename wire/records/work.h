// The model's kinds of work as the messages that the store keeps and that tasks carry.
#pragma once

#include "base/result.h"
#include "model/job.h"
#include "proto/kiln/v1/work.pb.h"

namespace kiln::wire {

kiln::v1::Table ToProto(const Table& table);
kiln::v1::Train ToProto(const TrainWork& work);
kiln::v1::Merge ToProto(const MergeWork& work);
kiln::v1::Search ToProto(const SearchWork& work);
kiln::v1::Command ToProto(const CommandWork& work);  // all but the image

Table FromProto(const kiln::v1::Table& table);
TrainWork FromProto(const kiln::v1::Train& work);
MergeWork FromProto(const kiln::v1::Merge& work);
SearchWork FromProto(const kiln::v1::Search& work);
CommandWork FromProto(const kiln::v1::Command& work);

}  // namespace kiln::wire
