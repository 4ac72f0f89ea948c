// The master's registry as a file.
#pragma once

#include <string>

#include "base/result.h"
#include "local/cluster/master_values.h"

namespace kiln::local {

// Replaces the file as a whole.
Status WriteRegistry(const std::string& path, const Registry& registry);
// No file is an empty registry; kDataLoss for one that cannot be read.
Result<Registry> ReadRegistry(const std::string& path);

}  // namespace kiln::local
