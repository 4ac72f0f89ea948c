// The HTTP endpoints of a master: which there are, who may use them, what they answer.
#include <fmt/format.h>

#include "local/node/http_call.h"
#include "local/node/master_json.h"
#include "local/node/master_node.h"
#include "wire/mesos/recordio.h"
#include "wire/rest/json.h"

namespace kiln::local {

namespace {

constexpr char kScheduler[] = "api/v1/scheduler";
constexpr char kOperator[] = "api/v1";

bool StartsWithPath(const std::string& path, std::string_view prefix) {
  return path.starts_with(prefix) && (path.size() == prefix.size() || path[prefix.size()] == '/');
}

// "/master/state" and "/state" are "state".
std::string EndpointOf(const net::Request& request) {
  std::string path = request.Path();
  if (path.starts_with("/")) path.erase(0, 1);
  if (path.starts_with("master/")) path.erase(0, 7);
  return path;
}

net::Response Empty(int status) {
  net::Response response;
  response.status = status;
  return response;
}

net::Response Unauthorized(const char* realm) {
  net::Response response = TextAnswer(401);
  response.headers.Set("WWW-Authenticate", fmt::format("Basic realm=\"{}\"", realm));
  return response;
}

// Open to everybody even where authentication is on.
bool IsOpen(const std::string& endpoint) {
  return endpoint == "health" || endpoint == "redirect" || endpoint == "version";
}

bool IsMaintenance(const std::string& endpoint) {
  return endpoint == "maintenance/schedule" || endpoint == "maintenance/status" ||
         endpoint == "machine/down" || endpoint == "machine/up";
}

bool Writes(const std::string& endpoint) {
  return endpoint == "teardown" || (IsMaintenance(endpoint) && endpoint != "maintenance/status");
}

// A value of a form body: "frameworkId=x&y=z".
std::optional<std::string> FormValue(const std::string& body, std::string_view name) {
  net::Request form;
  form.target = "/?" + body;
  return form.Query(name);
}

}  // namespace

void MasterNode::Respond(const std::shared_ptr<net::Exchange>& exchange, net::Response response) {
  CompressFor(exchange->request(), response);
  exchange->Respond(std::move(response));
}

void MasterNode::Receive(std::shared_ptr<net::Exchange> exchange) {
  if (EndpointOf(exchange->request()) == "kiln/fault") return ServeFault(exchange);
  if (delay_ == Duration::zero()) return Serve(exchange);
  const uint64_t number = next_delayed_++;
  delayed_[number] = loop_.After(delay_, [this, number, exchange] {
    // The handle owns this function: it goes last.
    const auto handle = delayed_.extract(number);
    Serve(exchange);
  });
}

void MasterNode::Serve(const std::shared_ptr<net::Exchange>& exchange) {
  const net::Request& request = exchange->request();
  const std::string endpoint = EndpointOf(request);
  if (phase_ == Phase::kDown) return exchange->Abort();
  if (phase_ == Phase::kStarting) return Respond(exchange, TextAnswer(404));
  if (StartsWithPath(endpoint, kScheduler)) return ServeScheduler(exchange);
  if (StartsWithPath(endpoint, kOperator)) return ServeOperator(exchange);
  if (!IsOpen(endpoint)) {
    const bool writes = Writes(endpoint);
    std::optional<std::string> principal;
    if (auto refusal = Authenticate(
            request,
            writes ? options_.flags.authenticate_readwrite : options_.flags.authenticate_readonly,
            writes ? "mesos-master-readwrite" : "mesos-master-readonly", &principal)) {
      return Respond(exchange, std::move(*refusal));
    }
  }
  if (IsMaintenance(endpoint)) return ServeMaintenance(exchange, endpoint);
  Respond(exchange, ServeEndpoint(request, endpoint));
}

void MasterNode::ServeFault(const std::shared_ptr<net::Exchange>& exchange) {
  const auto json = wire::Json::parse(exchange->request().body, nullptr, false);
  if (!json.is_object() || !json.value("fault", wire::Json()).is_string()) {
    return exchange->Respond(TextAnswer(400, "a fault is {\"fault\": NAME, \"target\": NAME}"));
  }
  const std::string target = json.contains("target") && json["target"].is_string()
                                 ? json["target"].get<std::string>()
                                 : "";
  const Status done = callbacks_.inject(json["fault"].get<std::string>(), target);
  exchange->Respond(done ? Empty(200) : TextAnswer(400, done.error().message));
}

std::optional<net::Response> MasterNode::Authenticate(const net::Request& request, bool required,
                                                      const char* realm,
                                                      std::optional<std::string>* principal) const {
  if (!required) return std::nullopt;
  const auto header = request.headers.Get("Authorization");
  if (!header || !header->starts_with("Basic ")) return Unauthorized(realm);
  const auto decoded = net::Base64Decode(header->substr(6));
  if (!decoded) return Unauthorized(realm);
  const size_t colon = decoded->find(':');
  // Exactly two parts: a secret with a colon never matches.
  if (colon == std::string::npos || decoded->find(':', colon + 1) != std::string::npos) {
    return Unauthorized(realm);
  }
  const auto found = options_.flags.credentials.find(decoded->substr(0, colon));
  if (found == options_.flags.credentials.end() || found->second != decoded->substr(colon + 1)) {
    return Unauthorized(realm);
  }
  *principal = found->first;
  return std::nullopt;
}

std::optional<net::Response> MasterNode::RefuseUnlessLeading(const net::Request& request) const {
  if (!other_leader_.empty()) {
    net::Response response = Empty(307);
    response.headers.Set("Location", "//" + other_leader_ + request.target);
    return response;
  }
  if (!elected_) return TextAnswer(503, "No leader elected");
  if (phase_ != Phase::kUp) return TextAnswer(503, "Master has not finished recovery");
  return std::nullopt;
}

void MasterNode::ServeScheduler(const std::shared_ptr<net::Exchange>& exchange) {
  const net::Request& request = exchange->request();
  SchedulerCall input;
  if (auto refusal = Authenticate(request, options_.flags.authenticate_frameworks,
                                  "mesos-master-scheduler", &input.principal)) {
    return Respond(exchange, std::move(*refusal));
  }
  if (auto refusal = RefuseUnlessLeading(request)) return Respond(exchange, std::move(*refusal));
  DecodedCall decoded = DecodeCall(request, input.call);
  if (decoded.refusal) return Respond(exchange, std::move(*decoded.refusal));
  if (auto stream = request.headers.Get("Mesos-Stream-Id")) input.stream_id = *stream;
  const auto encoding = AcceptedEncoding(request);
  if (refusal_ && encoding && input.call.type() == mesos::v1::scheduler::Call::SUBSCRIBE) {
    mesos::v1::scheduler::Event error;
    error.set_type(mesos::v1::scheduler::Event::ERROR);
    error.mutable_error()->set_message(*std::exchange(refusal_, std::nullopt));
    net::Response head;
    head.headers.Set("Content-Type", wire::MediaType(*encoding));
    exchange->BeginStream(std::move(head));
    exchange->Write(wire::EncodeRecord(wire::Serialize(*encoding, error)));
    return exchange->EndStream();
  }
  input.acceptable = encoding.has_value();
  input.request = next_request_++;
  requests_[input.request] = {exchange, encoding.value_or(wire::Encoding::kJson)};
  Handle(input);
}

void MasterNode::ServeOperator(const std::shared_ptr<net::Exchange>& exchange) {
  const net::Request& request = exchange->request();
  OperatorCall input;
  // One realm for all calls: what a call does is known only from its body.
  if (auto refusal = Authenticate(request, options_.flags.authenticate_readwrite,
                                  "mesos-master-readwrite", &input.principal)) {
    return Respond(exchange, std::move(*refusal));
  }
  if (auto refusal = RefuseUnlessLeading(request)) return Respond(exchange, std::move(*refusal));
  DecodedCall decoded = DecodeCall(request, input.call);
  if (decoded.refusal) return Respond(exchange, std::move(*decoded.refusal));
  if (Objection objection = ValidateCall(input.call)) {
    return Respond(exchange, TextAnswer(400, "Failed to validate master::Call: " + *objection));
  }
  const auto encoding = AcceptedEncoding(request);
  if (!encoding) return Respond(exchange, NotAcceptable());
  using Call = mesos::v1::master::Call;
  if (input.call.type() == Call::GET_FLAGS) {
    return Respond(exchange, MessageAnswer(*encoding, FlagsView(options_.flags)));
  }
  if (input.call.type() == Call::GET_VERSION) {
    return Respond(exchange, MessageAnswer(*encoding, VersionView(options_.flags.options.version)));
  }
  if (input.call.type() == Call::GET_METRICS) {
    return Respond(exchange, MessageAnswer(*encoding, MetricsView(*master_, loop_.Now())));
  }
  if (input.call.type() == Call::READ_FILE || input.call.type() == Call::LIST_FILES) {
    net::Response response = TextAnswer(404, "");
    return Respond(exchange, std::move(response));
  }
  input.request = next_request_++;
  requests_[input.request] = {exchange, *encoding};
  Handle(input);
}

net::Response MasterNode::ServeTeardown(const net::Request& request) {
  if (auto refusal = RefuseMethod(request)) return std::move(*refusal);
  const auto id = FormValue(request.body, "frameworkId");
  if (!id) return TextAnswer(400, "Missing 'frameworkId' query parameter in the request body");
  if (!master_->frameworks().count(*id)) {
    return TextAnswer(400, "No framework found with specified ID");
  }
  OperatorCall input;
  input.call.set_type(mesos::v1::master::Call::TEARDOWN);
  input.call.mutable_teardown()->mutable_framework_id()->set_value(*id);
  input.request = next_request_++;
  Handle(input);
  return Empty(200);
}

// Operator calls in an older form.
void MasterNode::ServeMaintenance(const std::shared_ptr<net::Exchange>& exchange,
                                  const std::string& endpoint) {
  using Call = mesos::v1::master::Call;
  const net::Request& request = exchange->request();
  if (auto refusal = RefuseUnlessLeading(request)) return Respond(exchange, std::move(*refusal));
  std::vector<std::string> methods = {"POST"};
  if (endpoint == "maintenance/schedule") methods = {"GET", "POST"};
  if (endpoint == "maintenance/status") methods = {"GET"};
  if (auto refusal = RefuseMethod(request, methods)) return Respond(exchange, std::move(*refusal));
  OperatorCall input;
  if (request.method == "GET") {
    const bool schedule = endpoint == "maintenance/schedule";
    input.call.set_type(schedule ? Call::GET_MAINTENANCE_SCHEDULE : Call::GET_MAINTENANCE_STATUS);
    const auto view = master_->View(input.call);
    return Respond(exchange,
                   JsonAnswer(schedule ? wire::ToJson(view->get_maintenance_schedule().schedule())
                                       : wire::ToJson(view->get_maintenance_status().status())));
  }
  Status parsed;
  const std::string machines = "{\"machines\":" + request.body + "}";
  if (endpoint == "maintenance/schedule") {
    input.call.set_type(Call::UPDATE_MAINTENANCE_SCHEDULE);
    parsed = wire::FromJson(request.body,
                            *input.call.mutable_update_maintenance_schedule()->mutable_schedule());
  } else if (endpoint == "machine/down") {
    input.call.set_type(Call::START_MAINTENANCE);
    parsed = wire::FromJson(machines, *input.call.mutable_start_maintenance());
  } else {
    input.call.set_type(Call::STOP_MAINTENANCE);
    parsed = wire::FromJson(machines, *input.call.mutable_stop_maintenance());
  }
  if (!parsed) return Respond(exchange, TextAnswer(400, parsed.error().message));
  input.request = next_request_++;
  requests_[input.request] = {exchange, wire::Encoding::kJson};
  Handle(input);
}

net::Response MasterNode::ServeEndpoint(const net::Request& request, const std::string& endpoint) {
  if (endpoint == "health") return Empty(200);
  if (endpoint == "version") return JsonAnswer(VersionJson(options_.flags.options.version));
  if (endpoint == "redirect") {
    net::Response response = Empty(307);
    response.headers.Set("Location",
                         other_leader_.empty()
                             ? fmt::format("//{}:{}", options_.flags.options.hostname, port())
                             : "//" + other_leader_);
    return response;
  }
  if (endpoint == "flags") return JsonAnswer(FlagsJson(options_.flags));
  if (endpoint == "metrics/snapshot") {
    if (phase_ != Phase::kUp) return JsonAnswer("{}");
    return JsonAnswer(MetricsJson(*master_, loop_.Now()));
  }
  if (endpoint == "quota") return JsonAnswer("{}");
  if (endpoint == "weights") return JsonAnswer("[]");
  const bool known = endpoint == "teardown" || endpoint == "roles" || endpoint == "state" ||
                     endpoint == "state-summary" || endpoint == "slaves" ||
                     endpoint == "frameworks" || endpoint == "tasks";
  if (!known) return TextAnswer(404);
  if (auto refusal = RefuseUnlessLeading(request)) return std::move(*refusal);
  if (endpoint == "teardown") return ServeTeardown(request);
  if (endpoint == "roles") return JsonAnswer(RolesJson(*master_));
  if (endpoint == "state") return JsonAnswer(StateJson(*master_, options_.flags));
  if (endpoint == "state-summary") return JsonAnswer(SummaryJson(*master_));
  if (endpoint == "slaves") return JsonAnswer(AgentsJson(*master_, request));
  if (endpoint == "frameworks") return JsonAnswer(FrameworksJson(*master_, request));
  return JsonAnswer(TasksJson(*master_, request));
}

}  // namespace kiln::local
