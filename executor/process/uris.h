// Files that a command wants in its sandbox before it starts.
#pragma once

#include <string>

#include "base/result.h"
#include "proto/mesos/v1/mesos.pb.h"

namespace kiln::executor {

// Fetches into the sandbox: a path or file:, http:, https: (by curl), and artifact:PATH from the
// scheduler at api_url. Archives (tar in its kinds, zip, gz) are extracted when the URI says so
// and is not executable. Blocks; for any thread that may.
Status FetchUri(const mesos::v1::CommandInfo::URI& uri, const std::string& sandbox,
                const std::string& api_url);

// "<api_url>/v1/artifacts/PATH" for "artifact:PATH"; other texts stay.
std::string ResolveArtifact(const std::string& uri, const std::string& api_url);
// The local path of "/a/b", "file:/a/b" or "file:///a/b"; empty for other kinds.
std::string LocalPath(const std::string& uri);

}  // namespace kiln::executor
