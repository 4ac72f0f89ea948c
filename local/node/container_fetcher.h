// Fills a sandbox with what a command names in its uris.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "proto/mesos/v1/mesos.pb.h"

namespace kiln::local {

// Copies or downloads each URI into the folder: file://, plain absolute paths, http://. Archives
// are extracted by the system's programs where the URI asks for it; `executable` sets the mode.
// What happens stands in the sandbox's stderr. Blocks; for a pool thread.
Status FetchUris(const std::vector<mesos::v1::CommandInfo::URI>& uris,
                 const std::string& directory);

}  // namespace kiln::local
