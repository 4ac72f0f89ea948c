#include "scheduler/api/router.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "scheduler/api/access.h"
#include "scheduler/lifecycle/state.h"
#include "wire/rest/json.h"

namespace kiln::scheduler {
namespace {

using wire::Json;
using Parameters = std::map<std::string, std::string, std::less<>>;

// The parts between slashes; "/" has one empty part.
std::vector<std::string_view> Split(std::string_view path) {
  std::vector<std::string_view> parts;
  if (path.starts_with('/')) path.remove_prefix(1);
  while (true) {
    const size_t slash = path.find('/');
    parts.push_back(path.substr(0, slash));
    if (slash == std::string_view::npos) return parts;
    path.remove_prefix(slash + 1);
  }
}

bool IsParameter(std::string_view part) { return part.starts_with('{'); }
bool TakesRest(std::string_view part) { return part.ends_with("...}"); }
std::string_view NameOf(std::string_view part) {
  return part.substr(1, part.size() - (TakesRest(part) ? 5 : 2));
}

std::optional<Parameters> Match(std::string_view pattern, std::string_view path) {
  const auto wanted = Split(pattern);
  const auto found = Split(path);
  Parameters parameters;
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (i >= found.size()) return std::nullopt;
    if (TakesRest(wanted[i])) {
      const auto rest = path.substr(static_cast<size_t>(found[i].data() - path.data()));
      parameters.emplace(NameOf(wanted[i]), net::PercentDecode(rest));
      return parameters;
    }
    if (IsParameter(wanted[i])) {
      if (found[i].empty()) return std::nullopt;
      parameters.emplace(NameOf(wanted[i]), net::PercentDecode(found[i]));
    } else if (wanted[i] != found[i]) {
      return std::nullopt;
    }
  }
  if (found.size() != wanted.size()) return std::nullopt;
  return parameters;
}

std::string_view PathOf(const net::Request& head) {
  return std::string_view(head.target).substr(0, head.target.find('?'));
}
std::string_view MethodOf(const net::Request& head) {
  return head.method == "HEAD" ? "GET" : std::string_view(head.method);
}

// What the parameters of all routes are, where they are more than text.
Json ParameterSchema(std::string_view name) {
  if (name == "file") return {{"enum", {"stdout", "stderr"}}};
  if (name == "follow" || name == "dry_run") return {{"type", "boolean"}};
  const auto integer = [](int64_t min) {
    constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
    return Json{{"type", "integer"}, {"minimum", min}, {"maximum", kMax}};
  };
  if (name == "offset" || name == "after") return integer(0);
  if (name == "version") return integer(1);
  if (name == "phase") {
    Json names = Json::array();
    for (const JobPhase phase : kJobPhases) names.push_back(JobPhaseName(phase));
    return {{"enum", std::move(names)}};
  }
  return {{"type", "string"}};
}

Json Parameter(std::string_view name, const char* in, bool required) {
  return {{"name", name}, {"in", in}, {"required", required}, {"schema", ParameterSchema(name)}};
}

Json Reference(const std::string& schema) { return {{"$ref", "#/components/schemas/" + schema}}; }

// Nobody is asked for a token where the list is empty, nor by a scheduler without a file of them.
Json Security(const Route& route) {
  const Access access = AccessOf(route);
  if (access == Access::kOpen) return Json::array();
  return Json::array({{{"token", Json::array({AccessName(access)})}}, Json::object()});
}

Json Operation(const Route& route) {
  Json operation = {{"summary", route.summary}, {"security", Security(route)}};
  Json parameters = Json::array();
  for (std::string_view part : Split(route.pattern)) {
    if (IsParameter(part)) parameters.push_back(Parameter(NameOf(part), "path", true));
  }
  for (const char* name : route.query) parameters.push_back(Parameter(name, "query", false));
  if (!parameters.empty()) operation["parameters"] = std::move(parameters);
  if (route.body != nullptr) {
    Json content = Json::object();
    if (route.schema != nullptr) content["schema"] = Reference(route.schema);
    Json types = {{route.body, content}};
    if (route.body == std::string_view("application/yaml")) types["application/json"] = content;
    operation["requestBody"] = {{"required", route.schema != nullptr && route.body_required},
                                {"content", std::move(types)}};
  }
  operation["responses"] = {
      {"2XX", {{"description", "done"}}},
      {"default",
       {{"description", "what is wrong"},
        {"content", {{"application/json", {{"schema", Reference("Error")}}}}}}}};
  return operation;
}

}  // namespace

void Call::Answer(int status, const Json& body) const {
  exchange->Respond({status, {{"Content-Type", "application/json"}}, wire::DumpJson(body) + "\n"});
}

void Call::AnswerError(const Error& error) const {
  auto response = net::ErrorResponse(error);
  // A body that is too large never comes here: what is short is the disk.
  if (error.code == ErrorCode::kResourceExhausted) response.status = 507;
  exchange->Respond(std::move(response));
}

Result<bool> Call::Flag(const char* name) const {
  const std::string value = request().Query(name).value_or("false");
  if (value == "true" || value == "false") return value == "true";
  return FailField(name, "{} is \"{}\": expected true or false", name, value);
}

Router::Router(std::vector<Route> routes, Json (*schemas)())
    : routes_(std::move(routes)), schemas_(schemas) {}

const Route* Router::Find(const net::Request& head) const {
  const std::string_view target = PathOf(head);
  const std::string_view method = MethodOf(head);
  for (const Route& route : routes_) {
    if (route.method == method && Match(route.pattern, target)) return &route;
  }
  return nullptr;
}

void Router::Dispatch(std::shared_ptr<net::Exchange> exchange) const {
  const net::Request& request = exchange->request();
  const std::string target(PathOf(request));
  const std::string_view method = MethodOf(request);
  std::string allowed;
  for (const Route& route : routes_) {
    auto parameters = Match(route.pattern, target);
    if (!parameters) continue;
    if (route.method == method) {
      return route.handler({std::move(exchange), *std::move(parameters)});
    }
    if (allowed.find(route.method) == std::string::npos) {
      allowed += (allowed.empty() ? "" : ", ") + std::string(route.method);
    }
  }
  if (allowed.empty()) {
    return exchange->Respond(net::ErrorResponse(
        {ErrorCode::kNotFound,
         fmt::format("path is {}: expected one of those in /v1/openapi.json", target),
         {}}));
  }
  auto response = net::ErrorResponse(
      {ErrorCode::kInvalidArgument,
       fmt::format("method of {} is {}: expected {}", target, request.method, allowed),
       {}});
  response.status = 405;
  response.headers.Set("Allow", allowed);
  exchange->Respond(std::move(response));
}

Json Router::OpenApi() const {
  Json paths = Json::object();
  for (const Route& route : routes_) {
    std::string path = route.pattern;
    if (const size_t dots = path.find("...}"); dots != std::string::npos) path.erase(dots, 3);
    std::string method = route.method;
    std::transform(method.begin(), method.end(), method.begin(), ::tolower);
    paths[path][method] = Operation(route);
  }
  const Json text = {{"type", "string"}};
  const Json error = {{"type", "object"},
                      {"required", {"code", "message"}},
                      {"properties", {{"code", text}, {"message", text}, {"field", text}}}};
  Json schemas = schemas_();
  schemas["Error"] = {{"type", "object"}, {"properties", {{"error", error}}}};
  return {
      {"openapi", "3.1.0"},
      {"info", {{"title", "Kiln"}, {"version", "1"}}},
      {"paths", std::move(paths)},
      {"components",
       {{"schemas", std::move(schemas)},
        {"securitySchemes",
         {{"token",
           {{"type", "http"},
            {"scheme", "bearer"},
            {"description",
             "asked for when the scheduler has a tokens file; a token has the access view, submit "
             "or admin, and each may do what those before it may"}}}}}}}};
}

}  // namespace kiln::scheduler
