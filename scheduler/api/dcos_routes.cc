// What DC/OS's package manager and the tools around its SDK ask a service for, below
// /service/NAME/.
#include "base/log.h"
#include "scheduler/api/routes.h"
#include "scheduler/api/views.h"
#include "wire/rest/json.h"

namespace kiln::scheduler {
namespace {

using wire::Json;

constexpr Duration kTeardownPause = std::chrono::milliseconds(500);

struct Step {
  const char* name;
  bool done;
  std::string message;
};

// The one plan: to come up, or to go.
std::vector<Step> Steps(const ApiContext& context) {
  const Health health = context.backend.GetHealth();
  if (context.options.uninstall) {
    return {{"teardown", context.uninstalled,
             context.teardown ? "" : context.teardown.error().message}};
  }
  return {{"register", health.connected, "subscribe to the master"},
          {"recover", health.recovered, "reconcile the tasks that were known"}};
}

Json PlanJson(const std::vector<Step>& steps) {
  bool all = true;
  Json list = Json::array();
  for (const Step& step : steps) {
    const char* status = step.done ? "COMPLETE" : all ? "IN_PROGRESS" : "PENDING";
    list.push_back(
        {{"id", step.name}, {"name", step.name}, {"status", status}, {"message", step.message}});
    all = all && step.done;
  }
  const char* status = all ? "COMPLETE" : "IN_PROGRESS";
  const Json phase = {{"id", "scheduler"},
                      {"name", "scheduler"},
                      {"status", status},
                      {"strategy", "serial"},
                      {"steps", std::move(list)}};
  return {{"phases", Json::array({phase})},
          {"errors", Json::array()},
          {"status", status},
          {"strategy", "serial"}};
}

// Cosmos waits for exactly 200 before it removes the service.
void AnswerPlan(const ApiContext& context, const Call& call) {
  if (call.at("plan") != "deploy") {
    return call.AnswerError({ErrorCode::kNotFound,
                             fmt::format("plan {} is not known: expected deploy", call.at("plan")),
                             {}});
  }
  const Json plan = PlanJson(Steps(context));
  call.Answer(plan["status"] == "COMPLETE" ? 200 : 202, plan);
}

void AnswerEndpoint(const ApiContext& context, const Call& call) {
  Json addresses = Json::array();
  Json names = Json::array();
  for (const Json& endpoint : EndpointsToJson(context.backend.state())) {
    if (endpoint["job"] != call.at("job")) continue;
    addresses.push_back(endpoint["address"]);
    const auto address = endpoint["address"].get<std::string>();
    names.push_back(fmt::format("{}-{}-{}.{}.autoip.dcos.thisdcos.directory{}", call.at("job"),
                                endpoint["group"].get<std::string>(), endpoint["index"].get<int>(),
                                context.options.service_name, address.substr(address.rfind(':'))));
  }
  if (addresses.empty()) {
    return call.AnswerError({ErrorCode::kNotFound,
                             fmt::format("job {} has no endpoint: expected one of those in "
                                         "/v1/endpoints",
                                         call.at("job")),
                             {}});
  }
  call.Answer(200, {{"address", std::move(addresses)}, {"dns", std::move(names)}});
}

}  // namespace

void StartUninstall(ApiContext& context) {
  context.teardown_timer = context.loop.After(kTeardownPause, [&context] {
    if (!context.backend.GetHealth().connected) return StartUninstall(context);
    context.backend.Teardown([&context](Status status) {
      if (!status && (context.teardown || status.error() != context.teardown.error())) {
        LogWarning("teardown: {}", status.error().message);
      }
      context.uninstalled = status.has_value();
      context.teardown = std::move(status);
      if (!context.uninstalled) StartUninstall(context);
    });
  });
}

void AddDcosRoutes(std::vector<Route>& routes, ApiContext& context) {
  routes.push_back({"GET", "/v1/plans", "the plans of the service, for DC/OS",
                    [](const Call& call) { call.Answer(200, Json::array({"deploy"})); }});
  routes.push_back({"GET", "/v1/plans/{plan}",
                    "200 when the service is up, or torn down; 202 on the way",
                    [&context](const Call& call) { AnswerPlan(context, call); }});
  routes.push_back({"GET", "/v1/state/frameworkId", "the framework id in a list, for DC/OS",
                    [&context](const Call& call) {
                      const std::string& id = context.backend.state().framework_id;
                      Json ids = Json::array();
                      if (!id.empty()) ids.push_back(id);
                      call.Answer(200, ids);
                    }});
  routes.push_back({"GET", "/v1/endpoints/{job}", "the addresses of one job's servers, for DC/OS",
                    [&context](const Call& call) { AnswerEndpoint(context, call); }});
}

}  // namespace kiln::scheduler
