// Changes as bytes, for stores whose unit is larger than a record.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "scheduler/store/store.h"

namespace kiln::scheduler {

void AppendChange(const Change& change, std::string& bytes);
// kDataLoss: the bytes are not what AppendChange made.
Result<std::vector<Change>> ReadChanges(std::string_view bytes);

}  // namespace kiln::scheduler
