// The handlers, by resource. Each function adds its routes to the table.
#pragma once

#include <memory>
#include <vector>

#include "scheduler/api/api.h"
#include "scheduler/api/artifacts.h"
#include "scheduler/api/backend.h"
#include "scheduler/api/router.h"
#include "wire/net/loop.h"

namespace kiln::scheduler {

// What handlers work on; outlives them.
struct ApiContext {
  net::Loop& loop;
  Backend& backend;
  ApiOptions options;
  std::shared_ptr<ArtifactStore> artifacts;
  bool uninstalled = false;
  Status teardown;  // its last outcome
  net::Handle teardown_timer;
};

void AddJobRoutes(std::vector<Route>& routes, ApiContext& context);
void AddLogRoutes(std::vector<Route>& routes, ApiContext& context);
void AddModelRoutes(std::vector<Route>& routes, ApiContext& context);
void AddAgentRoutes(std::vector<Route>& routes, ApiContext& context);
void AddClusterRoutes(std::vector<Route>& routes, ApiContext& context);
void AddArtifactRoutes(std::vector<Route>& routes, ApiContext& context);
void AddEventRoutes(std::vector<Route>& routes, ApiContext& context);
void AddDcosRoutes(std::vector<Route>& routes, ApiContext& context);
void AddPageRoutes(std::vector<Route>& routes, ApiContext& context);

// Takes the bodies of artifact uploads to disk.
Result<std::unique_ptr<net::BodySink>> ArtifactSink(const ApiContext& context,
                                                    const net::Request& head);

// Tears everything down, again and again until it is done.
void StartUninstall(ApiContext& context);

std::string MetricsText(const Backend& backend);

// The body of a call as JSON; the error is already answered when there is none.
std::optional<wire::Json> JsonBody(const Call& call);

}  // namespace kiln::scheduler
