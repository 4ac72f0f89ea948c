// Files that a command wants in its sandbox before it starts.
#pragma once

#include <string>

#include "base/result.h"
#include "proto/mesos/v1/mesos.pb.h"
#include "wire/net/client.h"

namespace kiln::executor {

// The scheduler's REST, as the work of a job may use it.
struct SchedulerApi {
  std::string url;                                       // "http://host:port", or https
  std::string token;                                     // empty: none is asked for
  std::shared_ptr<const net::TlsContext> tls = nullptr;  // what it is judged by; none: SystemTls
};

// Fetches into the sandbox: a path or file:, http:, https: (by curl), and artifact:PATH from the
// scheduler. Archives (tar in its kinds, zip, gz) are extracted when the URI says so
// and is not executable. Blocks; for any thread that may.
Status FetchUri(const mesos::v1::CommandInfo::URI& uri, const std::string& sandbox,
                const SchedulerApi& api);

// "<api_url>/v1/artifacts/PATH" for "artifact:PATH"; other texts stay.
std::string ResolveArtifact(const std::string& uri, const std::string& api_url);
// What a request to the scheduler carries, and one for a URI: the token goes to nobody else.
net::Headers HeadersOf(const SchedulerApi& api);
net::Headers HeadersFor(const std::string& uri, const SchedulerApi& api);
// What it and others are judged by.
net::FetchOptions OptionsFor(const std::string& uri, const SchedulerApi& api);
// The local path of "/a/b", "file:/a/b" or "file:///a/b"; empty for other kinds.
std::string LocalPath(const std::string& uri);

}  // namespace kiln::executor
