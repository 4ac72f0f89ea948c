#include "executor/serving/model_server.h"

#include "executor/serving/metrics.h"
#include "executor/serving/rest_api.h"
#include "wire/net/loop.h"
#include "wire/net/server.h"

namespace kiln::executor {
namespace {

// A body of this size takes well under a millisecond.
constexpr size_t kLoopBodyBytes = 32 << 10;

// What requests share; outlives the server while a pool thread works on one.
struct Shared {
  Shared(net::Loop& the_loop, size_t limit, std::shared_ptr<Catalog> models)
      : loop(the_loop), body_limit(limit), catalog(std::move(models)) {}

  net::Loop& loop;
  size_t body_limit;
  std::shared_ptr<Catalog> catalog;
  ServingMetrics metrics;

  net::Response Answer(const net::Request& request) {
    const Instant start = loop.Now();
    RestAnswer answer = HandleRest(request, *catalog, metrics, body_limit);
    if (!answer.model.empty()) {
      metrics.Count(answer.model, answer.api, answer.code, loop.Now() - start);
    }
    return std::move(answer.response);
  }
};

void Handle(const std::shared_ptr<Shared>& shared, const std::shared_ptr<net::Exchange>& exchange) {
  const net::Request& request = exchange->request();
  if (request.body.size() <= kLoopBodyBytes && !request.headers.Has("Content-Encoding")) {
    exchange->Respond(shared->Answer(request));
    return;
  }
  const auto response = std::make_shared<net::Response>();
  shared->loop.Offload([=] { *response = shared->Answer(exchange->request()); },
                       [=] { exchange->Respond(std::move(*response)); });
}

}  // namespace

struct ModelServer::Parts {
  std::unique_ptr<net::Server> server;
};

ModelServer::ModelServer(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
ModelServer::~ModelServer() = default;
int ModelServer::port() const { return parts_->server->port(); }
std::string ModelServer::address() const { return parts_->server->address(); }

Result<std::unique_ptr<ModelServer>> ModelServer::Start(net::Loop& loop,
                                                        const ModelServerOptions& options,
                                                        std::shared_ptr<Catalog> catalog) {
  const auto shared = std::make_shared<Shared>(loop, options.body_limit, std::move(catalog));
  net::ServerOptions server_options;
  server_options.host = options.host;
  server_options.port = options.port;
  server_options.body_limit = options.body_limit;
  server_options.too_large = [](const net::Request&, size_t limit) {
    return RestError(413, fmt::format("the body is too large, expected at most {} bytes", limit));
  };
  auto server = net::Server::Listen(
      loop, std::move(server_options),
      [shared](std::shared_ptr<net::Exchange> exchange) { Handle(shared, exchange); });
  if (!server) return Failure(std::move(server).error());
  auto parts = std::make_unique<Parts>();
  parts->server = *std::move(server);
  return std::unique_ptr<ModelServer>(new ModelServer(std::move(parts)));
}

}  // namespace kiln::executor
