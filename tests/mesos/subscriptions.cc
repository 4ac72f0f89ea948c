#include "tests/mesos/subscriptions.h"

#include <fmt/format.h>
#include <google/protobuf/message.h>

#include <algorithm>
#include <set>

#include "wire/mesos/base64.h"
#include "wire/mesos/json.h"

namespace kiln::replay {
namespace {

std::string HeaderOf(const Request& request, const std::string& name) {
  for (const auto& [key, value] : request.headers) {
    if (key == name) return value;
  }
  return "";
}

// Any value of the right kind, another one for each placeholder.
Json MakeValue(const std::string& name) {
  if (name.ends_with("_port")) return 5050;
  if (name == "timestamp") return 1'234'567'890.5;
  if (name == "time_ns") return 1'234'567'890'123'456'789;
  if (name == "pid" || name == "number") return 4242;
  if (name.starts_with("uuid_")) {
    std::string bytes = name;
    bytes.resize(16, '\x40');
    return wire::EncodeBase64(bytes);
  }
  return name + "-of-this-run";
}

// Not what has a number without a form in JSON: infinity.
bool Expressible(const Request& request, Api api) {
  const auto message = NewMessage(api, Role::kCall);
  if (!wire::FromJson(request.json.dump(), *message)) return false;
  return wire::FromJson(wire::ToJson(*message), *message).has_value();
}

bool IsSubscribe(const Json& call) { return call.value("type", Json()) == "SUBSCRIBE"; }

// The client fills in the ids, and a SUBSCRIBE names what subscribes.
bool IsWhole(const Json& call, Api api) {
  if (api == Api::kExecutor) {
    return At(call, "/framework_id/value").is_string() &&
           At(call, "/executor_id/value").is_string() &&
           (!IsSubscribe(call) || call.contains("subscribe"));
  }
  return !IsSubscribe(call) ||
         (At(call, "/subscribe/framework_info").is_object() &&
          At(call, "/subscribe/framework_info/id") == At(call, "/framework_id"));
}

// Whether Kiln's client could have sent it.
bool IsCall(const Exchange& exchange, Api api) {
  const Request& request = exchange.request;
  const bool message =
      request.body == Request::Body::kJson || request.body == Request::Body::kProtobuf;
  const std::string type = HeaderOf(request, "Content-Type");
  const bool protobuf = type == "application/x-protobuf";
  const bool header =
      HeaderOf(request, "Accept") == type &&
      std::all_of(request.headers.begin(), request.headers.end(), [](const auto& line) {
        static const std::set<std::string> kSent = {"Content-Type", "Accept", "Mesos-Stream-Id",
                                                    "Authorization"};
        return kSent.contains(line.first);
      });
  const std::string authorization = HeaderOf(request, "Authorization");
  const bool scheme = authorization.empty() || api == Api::kScheduler ||
                      authorization.starts_with("Bearer ");  // the only one of an executor
  if (!message || !request.json.is_object() || !IsWhole(request.json, api)) return false;
  if (IsSubscribe(request.json) && !HeaderOf(request, "Mesos-Stream-Id").empty()) return false;
  return header && scheme && request.method == "POST" &&
         request.path == (api == Api::kScheduler ? "/api/v1/scheduler" : "/api/v1/executor") &&
         ApiOf(request.to, request.path) == api &&
         protobuf == (request.body == Request::Body::kProtobuf) && exchange.answer.status != 0;
}

Exchange Filled(Exchange exchange, Bindings& bindings) {
  for (auto& [name, value] : exchange.request.headers) value = bindings.FillText(value, MakeValue);
  for (auto& [name, value] : exchange.answer.headers) value = bindings.FillText(value, MakeValue);
  exchange.request.json = bindings.Fill(exchange.request.json, MakeValue);
  exchange.answer.text = bindings.FillText(exchange.answer.text, MakeValue);
  return exchange;
}

// Whether the call was made by the client of this subscription.
bool Belongs(const Exchange& call, const RecordedSubscription& subscription) {
  const Json& ours = subscription.subscribe.request.json;
  const Request& request = call.request;
  if (request.connection == subscription.subscribe.request.connection) return false;
  if (HeaderOf(request, "Content-Type") !=
          HeaderOf(subscription.subscribe.request, "Content-Type") ||
      HeaderOf(request, "Authorization") !=
          HeaderOf(subscription.subscribe.request, "Authorization")) {
    return false;
  }
  if (subscription.api == Api::kExecutor) {
    return request.json.value("executor_id", Json()) == ours.value("executor_id", Json()) &&
           request.json.value("framework_id", Json()) == ours.value("framework_id", Json());
  }
  const auto& headers = subscription.subscribe.answer.headers;
  const auto id = headers.find("Mesos-Stream-Id");
  return id != headers.end() && HeaderOf(request, "Mesos-Stream-Id") == id->second &&
         request.json.contains("framework_id");
}

}  // namespace

std::vector<RecordedSubscription> SubscriptionsOf(const Scenario& scenario, Api api) {
  Bindings bindings;
  std::vector<RecordedSubscription> subscriptions;
  // The one whose stream is open on this connection.
  std::map<std::string, size_t> open;
  for (const Step& step : scenario.steps) {
    if (const auto* exchange = std::get_if<Exchange>(&step.action)) {
      if (!IsCall(*exchange, api)) continue;
      const Exchange call = Filled(*exchange, bindings);
      if (!Expressible(call.request, api)) continue;
      if (IsSubscribe(call.request.json)) {
        open[call.request.connection] = subscriptions.size();
        subscriptions.push_back(
            {fmt::format("{}, {}, step {}", scenario.name, call.request.connection, step.number),
             api,
             call,
             {}});
        continue;
      }
      for (const auto& [connection, index] : open) {
        if (Belongs(call, subscriptions[index])) subscriptions[index].items.push_back(call);
      }
    } else if (const auto* stream = std::get_if<StreamStep>(&step.action)) {
      const auto index = open.find(stream->connection);
      for (Event event : stream->events) {
        event.json = bindings.Fill(event.json, MakeValue);
        if (index != open.end()) subscriptions[index->second].items.push_back(event);
      }
      const bool ended = !stream->events.empty() && !stream->events.back().end.empty();
      if (ended && index != open.end()) open.erase(index);
    } else if (const auto* fault = std::get_if<Fault>(&step.action)) {
      if (fault->kind == Fault::Kind::kCloseConnection) open.erase(fault->target);
    }
  }
  return subscriptions;
}

}  // namespace kiln::replay
