#include "scheduler/api/api.h"

#include "scheduler/api/routes.h"
#include "scheduler/api/views.h"
#include "wire/net/server.h"
#include "wire/rest/job_codec.h"
#include "wire/rest/json.h"

namespace kiln::scheduler {
namespace {

constexpr size_t kBodyMax = 16 << 20;     // bytes of a job file or a registration
constexpr size_t kMemoryMax = 256 << 20;  // bytes of all requests and answers under way

// Answers with what is the same as long as the program runs, and is written when somebody first
// asks.
std::function<void(const Call&)> Document(std::function<wire::Json()> make) {
  return [make = std::move(make), text = std::make_shared<std::string>()](const Call& call) {
    if (text->empty()) *text = wire::DumpJson(make()) + "\n";
    call.exchange->Respond({200, {{"Content-Type", "application/json"}}, *text});
  };
}

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
  routes.push_back(
      {"GET", "/v1/schema/job", "the JSON Schema of a job file", Document(wire::JobSchema)});
  routes.push_back({"GET", "/v1/openapi.json", "this description",
                    Document([&router] { return router->OpenApi(); })});
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

// An exchange whose whole answers somebody has a last word on.
class Amended final : public net::Exchange {
 public:
  using After = std::function<void(const net::Request&, net::Response&)>;
  Amended(std::shared_ptr<net::Exchange> exchange, After after)
      : exchange_(std::move(exchange)), after_(std::move(after)) {}

  const net::Request& request() const override { return exchange_->request(); }
  std::shared_ptr<net::BodySink> sink() const override { return exchange_->sink(); }
  void Respond(net::Response response) override {
    after_(request(), response);
    exchange_->Respond(std::move(response));
  }
  void RespondFile(net::Response head, std::string path, uint64_t offset,
                   uint64_t length) override {
    exchange_->RespondFile(std::move(head), std::move(path), offset, length);
  }
  void BeginStream(net::Response head) override { exchange_->BeginStream(std::move(head)); }
  void Write(std::string_view piece) override { exchange_->Write(piece); }
  void EndStream() override { exchange_->EndStream(); }
  size_t Unsent() const override { return exchange_->Unsent(); }
  void OnTaken(std::function<void()> function) override { exchange_->OnTaken(std::move(function)); }
  void Abort() override { exchange_->Abort(); }
  void OnClose(std::function<void()> function) override { exchange_->OnClose(std::move(function)); }

 private:
  const std::shared_ptr<net::Exchange> exchange_;
  const After after_;
};

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
  if (!options.before) KILN_TRY_OK(artifacts->Clean());
  net::ServerOptions server;
  server.body_limit = kBodyMax;
  server.memory_max = kMemoryMax;
  server.tls = options.tls;
  Guard guard(options.tokens, options.job_key, options.rate_limit, backend);
  auto parts = std::unique_ptr<Parts>(
      new Parts{{loop, backend, std::move(options), std::move(artifacts), false, {}, {}},
                std::move(guard),
                {},
                {}});
  parts->router = std::make_unique<Router>(AllRoutes(parts->context, parts->router), BodySchemas);
  server.refusal = [&loop, &guard = parts->guard, &router = *parts->router,
                    &before = parts->context.options.before](const net::Request& head) {
    const Route* route = router.Find(head);
    auto refused = guard.Refusal(head, route, loop.Now());
    return refused || !before ? refused : before(head, route);
  };
  server.sink = [&context = parts->context](const net::Request& head) {
    return ArtifactSink(context, head);
  };
  parts->server =
      net::Server::Serve(loop, std::move(listener), std::move(server),
                         [&router = *parts->router, &after = parts->context.options.after](
                             std::shared_ptr<net::Exchange> exchange) {
                           if (after) exchange = std::make_shared<Amended>(exchange, after);
                           router.Dispatch(std::move(exchange));
                         });
  if (parts->context.options.uninstall) StartUninstall(parts->context);
  return std::unique_ptr<Api>(new Api(std::move(parts)));
}

int Api::port() const { return parts_->server->port(); }
std::string Api::address() const { return parts_->server->address(); }
void Api::SetTokens(std::vector<Token> tokens) {
  // What is open was let in by tokens that may be gone.
  if (parts_->guard.SetTokens(std::move(tokens))) parts_->server->CloseConnections();
}
const Router& Api::router() const { return *parts_->router; }

}  // namespace kiln::scheduler
