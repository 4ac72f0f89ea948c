// The table of routes: which handler answers a request, and what the table says of itself.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "wire/net/server.h"
#include "wire/rest/json_fwd.h"

namespace kiln::scheduler {

// A request on its way to its answer.
struct Call {
  std::shared_ptr<net::Exchange> exchange;
  std::map<std::string, std::string, std::less<>> parameters;  // of the path, decoded

  const net::Request& request() const { return exchange->request(); }
  const std::string& at(std::string_view name) const { return parameters.find(name)->second; }

  // A query parameter that is true or false; false when it is not there.
  Result<bool> Flag(const char* name) const;

  void Answer(int status, const wire::Json& body) const;
  void AnswerError(const Error& error) const;
};

struct Route {
  const char* method;
  // "/v1/jobs/{name}"; a last "{path...}" takes the rest of the path.
  const char* pattern;
  const char* summary;
  std::function<void(const Call&)> handler;
  std::vector<const char*> query = {};  // names of query parameters
  const char* body = nullptr;           // media type that it reads
  const char* schema = nullptr;         // of that body: one of the router's; none takes any bytes
  bool body_required = true;            // where there is a schema
};

// Threads: one.
class Router {
 public:
  // `schemas` gives JSON Schemas by the names that routes use.
  Router(std::vector<Route> routes, wire::Json (*schemas)());

  // The route that answers a request with this head; null when there is none.
  const Route* Find(const net::Request& head) const;
  // HEAD is answered by GET. 404 for a path that no route has, 405 with Allow for another method.
  void Dispatch(std::shared_ptr<net::Exchange> exchange) const;
  // OpenAPI 3.1 of the table.
  wire::Json OpenApi() const;
  const std::vector<Route>& routes() const { return routes_; }

 private:
  std::vector<Route> routes_;
  wire::Json (*schemas_)();
};

}  // namespace kiln::scheduler
