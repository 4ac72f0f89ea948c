// What operators do with a state file: look whether it is whole, copy it while a scheduler writes
// it, and put a copy back.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "scheduler/store/store.h"

namespace kiln::scheduler {

struct StateSummary {
  int64_t schema_version = 0;
  Revision revision = 0;
  uint64_t bytes = 0;  // of the file
  std::string framework_id;
  std::map<std::string, uint64_t> records;  // by kind

  bool operator==(const StateSummary&) const = default;
};

// All of these read files of SQLite only, and leave what they read as it is. kNotFound: there is no
// such file. kDataLoss: it is no state, or a damaged one. kFailedPrecondition: a newer program made
// it.

// Reads every page and every record.
Result<StateSummary> VerifyState(const std::string& path);

// A whole copy of one revision, verified, as a single file that was not there before (kConflict).
// A scheduler may write the state meanwhile, and is not held up.
Result<StateSummary> BackUpState(const std::string& state, const std::string& backup);

// Verifies a copy and makes it a state, where none was before (kConflict). Ids that a scheduler
// makes on it differ from those that were made after the copy, as long as clocks do not go back.
Result<StateSummary> RestoreState(const std::string& backup, const std::string& state, Instant now);

}  // namespace kiln::scheduler
