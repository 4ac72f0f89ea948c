// Files that nobody but their owner may read.
#pragma once

#include <string>

#include "base/result.h"

namespace kiln::scheduler {

// kPermissionDenied when others than the owner may read or write it: whoever reads it can act as
// those that it names.
Result<std::string> ReadPrivateFile(const std::string& path);

// The 64 random digits in the file, which is made when it is not there: by one of those that begin
// together, and all read the same. kDataLoss when it holds anything else.
Result<std::string> OpenKey(const std::string& path);

}  // namespace kiln::scheduler
