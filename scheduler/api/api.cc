#include "scheduler/api/api.h"

#include "scheduler/api/routes.h"
#include "scheduler/api/views.h"
#include "wire/net/server.h"
#include "wire/rest/job_codec.h"
#include "wire/rest/json.h"

namespace kiln::scheduler {
namespace {

constexpr size_t kBodyMax = 16 << 20;  // bytes of a job file or a registration

std::vector<Route> AllRoutes(ApiContext& context, const std::unique_ptr<Router>& router) {
  std::vector<Route> routes;
  AddJobRoutes(routes, context);
  AddLogRoutes(routes, context);
  AddModelRoutes(routes, context);
  AddAgentRoutes(routes, context);
  AddClusterRoutes(routes, context);
  AddArtifactRoutes(routes, context);
  AddEventRoutes(routes, context);
  AddDcosRoutes(routes, context);
  AddPageRoutes(routes, context);
  routes.push_back({"GET", "/v1/schema/job", "the JSON Schema of a job file",
                    [](const Call& call) { call.Answer(200, wire::JobSchema()); }});
  routes.push_back({"GET", "/v1/openapi.json", "this description",
                    [&router](const Call& call) { call.Answer(200, router->OpenApi()); }});
  return routes;
}

// What the bodies of requests are.
wire::Json BodySchemas() {
  using wire::Json;
  Json job = wire::JobSchema();
  job.erase("$schema");
  Json version = ModelVersionSchema();
  Json of_model = version;
  of_model["required"] = {"uri"};  // the path names the model
  return {{"Job", std::move(job)},
          {"ModelVersion", std::move(version)},
          {"VersionOfModel", std::move(of_model)},
          {"Quarantine", QuarantineRequestSchema()},
          {"Release", ReleaseSchema()},
          {"LabelTarget",
           {{"type", "object"},
            {"additionalProperties", false},
            {"required", {"version"}},
            {"properties", {{"version", {{"type", "integer"}, {"minimum", 1}}}}}}}};
}

}  // namespace

struct Api::Parts {
  ApiContext context;
  Guard guard;
  std::unique_ptr<Router> router;
  std::unique_ptr<net::Server> server;
};

Api::Api(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Api::~Api() = default;

Result<std::unique_ptr<Api>> Api::Serve(net::Loop& loop, net::Listener listener, Backend& backend,
                                        ApiOptions options) {
  KILN_TRY(std::shared_ptr<ArtifactStore> artifacts, ArtifactStore::Open(options.artifacts));
  net::ServerOptions server;
  server.body_limit = kBodyMax;
  server.tls = options.tls;
  Guard guard(options.tokens, options.job_key, options.rate_limit, backend);
  auto parts = std::unique_ptr<Parts>(
      new Parts{{loop, backend, std::move(options), std::move(artifacts), false, {}, {}},
                std::move(guard),
                {},
                {}});
  parts->router = std::make_unique<Router>(AllRoutes(parts->context, parts->router), BodySchemas);
  server.refusal = [&loop, &guard = parts->guard,
                    &router = *parts->router](const net::Request& head) {
    return guard.Refusal(head, router.Find(head), loop.Now());
  };
  server.sink = [&context = parts->context](const net::Request& head) {
    return ArtifactSink(context, head);
  };
  parts->server =
      net::Server::Serve(loop, std::move(listener), std::move(server),
                         [&router = *parts->router](std::shared_ptr<net::Exchange> exchange) {
                           router.Dispatch(std::move(exchange));
                         });
  if (parts->context.options.uninstall) StartUninstall(parts->context);
  return std::unique_ptr<Api>(new Api(std::move(parts)));
}

int Api::port() const { return parts_->server->port(); }
std::string Api::address() const { return parts_->server->address(); }
void Api::SetTokens(std::vector<Token> tokens) { parts_->guard.SetTokens(std::move(tokens)); }
const Router& Api::router() const { return *parts_->router; }

}  // namespace kiln::scheduler
