// Agents: what they have, and whether work goes to them.
#include "scheduler/api/routes.h"
#include "scheduler/api/views.h"
#include "wire/rest/form.h"
#include "wire/rest/json.h"

namespace kiln::scheduler {
namespace {

using wire::Form;
using wire::Json;

void DescribeRelease(Form& form, std::string& gpu) {
  form.Text({"gpu", "a device of the agent; the agent itself when it is left out"}, gpu);
}

struct QuarantineBody {
  std::string gpu;
  Duration time{};
  std::string reason;
};

void DescribeQuarantine(Form& form, QuarantineBody& body) {
  DescribeRelease(form, body.gpu);
  form.Time({"time", "how long; until it is released when it is left out"}, body.time);
  form.Text({"reason", "shown by why and in events"}, body.reason);
}

// Reads the body, which may be left out; the error is already answered when there is none.
bool ReadBody(const Call& call, const Form::Members& members) {
  if (call.request().body.empty()) return true;
  const auto json = JsonBody(call);
  if (!json) return false;
  const Status read = wire::ReadForm(*json, "", members);
  if (!read) call.AnswerError(read.error());
  return read.has_value();
}

void AnswerAgent(ApiContext& context, const Call& call, const Status& status) {
  if (!status) return call.AnswerError(status.error());
  for (const AgentView& view : context.backend.Agents()) {
    if (view.agent.id.text != call.at("id") && view.agent.hostname != call.at("id")) continue;
    return call.Answer(200, AgentViewToJson(view, context.backend.state()));
  }
  call.Answer(200, Json::object());
}

void SetQuarantine(ApiContext& context, const Call& call) {
  QuarantineBody body;
  if (!ReadBody(call, [&](Form& form) { DescribeQuarantine(form, body); })) return;
  QuarantineRequest request{.gpu = {body.gpu}, .reason = body.reason};
  if (body.time > Duration(0)) request.time = body.time;
  context.backend.SetQuarantine(call.at("id"), request, [&context, call](const Status& status) {
    AnswerAgent(context, call, status);
  });
}

void Release(ApiContext& context, const Call& call) {
  std::string gpu;
  if (!ReadBody(call, [&](Form& form) { DescribeRelease(form, gpu); })) return;
  context.backend.Release(call.at("id"), {gpu}, [&context, call](const Status& status) {
    AnswerAgent(context, call, status);
  });
}

}  // namespace

Json QuarantineRequestSchema() {
  return wire::SchemaOfForm([](Form& form) {
    QuarantineBody blank;
    DescribeQuarantine(form, blank);
  });
}

Json ReleaseSchema() {
  return wire::SchemaOfForm([](Form& form) {
    std::string blank;
    DescribeRelease(form, blank);
  });
}

void AddAgentRoutes(std::vector<Route>& routes, ApiContext& context) {
  auto with = [&context](void (*handler)(ApiContext&, const Call&)) {
    return [&context, handler](const Call& call) { handler(context, call); };
  };
  routes.push_back(
      {"GET", "/v1/agents", "the agents that offer resources", [&context](const Call& call) {
         Json agents = Json::array();
         for (const AgentView& view : context.backend.Agents()) {
           agents.push_back(AgentViewToJson(view, context.backend.state()));
         }
         call.Answer(200, {{"agents", std::move(agents)}});
       }});
  routes.push_back({"POST",
                    "/v1/agents/{id}/quarantine",
                    "no work goes to an agent, by id or hostname, or to a device of it",
                    with(SetQuarantine),
                    {},
                    "application/json",
                    "Quarantine",
                    false});
  routes.push_back({"POST",
                    "/v1/agents/{id}/release",
                    "work goes to it again, and what it did is forgotten",
                    with(Release),
                    {},
                    "application/json",
                    "Release",
                    false});
}

}  // namespace kiln::scheduler
