#include "tests/mesos/scenario.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <optional>
#include <regex>

#include "wire/mesos/base64.h"

namespace kiln::replay {
namespace {

Result<Request> ParseRequest(const Json& json) {
  Request request;
  request.connection = json.at("connection");
  request.to = json.at("to");
  if (json.contains("raw")) {
    request.body = Request::Body::kRaw;
    request.text = json["raw"];
    return request;
  }
  request.method = json.at("method");
  request.path = json.at("path");
  for (const auto& [name, value] : json.at("headers").items()) {
    request.headers.emplace_back(name, value.get<std::string>());
  }
  const std::string note = json.value("note", "");
  request.gzip = note.find("gzip") != std::string::npos;
  request.chunked = note.find("chunk") != std::string::npos ||
                    json["headers"].value("Transfer-Encoding", "") == "chunked";
  if (json.contains("json")) {
    request.body =
        json.contains("protobuf_base64") ? Request::Body::kProtobuf : Request::Body::kJson;
    request.json = json["json"];
  } else if (json.contains("text")) {
    request.body = Request::Body::kText;
    request.text = json["text"];
  } else if (json.contains("base64")) {
    request.body = Request::Body::kBase64;
    request.text = json["base64"];
  }
  return request;
}

Result<Answer> ParseAnswer(const Json& json) {
  Answer answer;
  if (json.contains("none")) return answer;
  answer.status = json.at("status");
  answer.reason = json.value("reason", "");
  answer.headers = json.value("headers", std::map<std::string, std::string>{});
  answer.after_ms = json.value("after_ms", 0.0);
  if (json.value("stream", false)) {
    answer.body = Answer::Body::kStream;
  } else if (json.contains("json")) {
    answer.body = json.contains("protobuf_base64") ? Answer::Body::kProtobuf : Answer::Body::kJson;
    answer.json = json["json"];
  } else if (json.contains("shape")) {
    answer.body = Answer::Body::kShape;
    answer.json = json["shape"];
  } else if (json.contains("base64")) {
    answer.body = Answer::Body::kBase64;
    answer.text = json["base64"];
  } else if (json.contains("text")) {
    answer.body = Answer::Body::kText;
    answer.text = json["text"];
  }
  return answer;
}

Result<StreamStep> ParseStream(const Json& json) {
  StreamStep step{json.at("stream"), {}};
  for (const Json& event : json.at("events")) {
    step.events.push_back(
        {event.value("json", Json()), event.value("end", ""), event.value("after_ms", 0.0)});
  }
  return step;
}

struct FaultForm {
  const char* pattern;
  Fault::Kind kind;
};

Result<Fault> ParseFault(const std::string& text) {
  using Kind = Fault::Kind;
  static const FaultForm kForms[] = {
      {"kill (agent\\d+) -9", Kind::kKillAgent},
      {"start (agent\\d+)( again)?", Kind::kStartAgent},
      {"remove meta/slaves/latest and start (agent\\d+) again", Kind::kStartAgentAsNew},
      {"freeze (agent\\d+) \\(SIGSTOP\\)", Kind::kFreezeAgent},
      {"thaw (agent\\d+) \\(SIGCONT\\)", Kind::kThawAgent},
      {"shut (agent\\d+) down in order \\(SIGUSR1\\)", Kind::kShutAgentDown},
      {"kill (master) -9", Kind::kKillMaster},
      {"start (master) again, same work_dir and port", Kind::kStartMaster},
      {"close connection (\\S+)", Kind::kCloseConnection},
      {"executor (\\S+) exits with code (\\d+)", Kind::kExecutorExits},
  };
  for (const FaultForm& form : kForms) {
    std::smatch match;
    if (!std::regex_match(text, match, std::regex(form.pattern))) continue;
    Fault fault{form.kind, match[1], 0};
    if (form.kind == Kind::kExecutorExits) fault.code = std::stoi(match[2]);
    return fault;
  }
  return Fail(ErrorCode::kInvalidArgument, "fault \"{}\" is not known", text);
}

Result<Step> ParseStep(int number, const Json& json) {
  Step step;
  step.number = number;
  step.label = json.value("case", "");
  if (json.contains("request")) {
    KILN_TRY(Request request, ParseRequest(json["request"]));
    KILN_TRY(Answer answer, ParseAnswer(json.at("answer")));
    step.action = Exchange{std::move(request), std::move(answer)};
  } else if (json.contains("stream")) {
    KILN_TRY(step.action, ParseStream(json));
  } else if (json.contains("wait_ms")) {
    step.action = Wait{json["wait_ms"]};
  } else if (json.contains("fault")) {
    KILN_TRY(step.action, ParseFault(json["fault"]));
  } else if (json.contains("executor_environment")) {
    const Json& environment = json["executor_environment"];
    step.action = ExecutorEnvironment{environment.at("agent"), environment.at("executor_id"),
                                      environment.at("variables")};
  } else if (json.contains("token")) {
    step.action = Token{json["token"].at("header"), json["token"].at("claims")};
  } else {
    return Fail(ErrorCode::kInvalidArgument, "a step of unknown kind: {}", json.dump());
  }
  return step;
}

Result<RawConnection> ParseRawConnection(const Json& json) {
  RawConnection raw{json.at("connection"), json.at("to"), {}};
  for (const Json& piece : json.at("bytes")) {
    KILN_TRY(std::string bytes, wire::DecodeBase64(piece.at("base64").get<std::string>()));
    raw.pieces.push_back({piece.at("direction") == "in", std::move(bytes)});
  }
  return raw;
}

// An agent is up before the first step, unless a step starts it before anything else happens to it.
void MarkLateAgents(const Json& steps, std::vector<Agent>& agents) {
  for (size_t i = 0; i < agents.size(); ++i) {
    const std::string start = fmt::format("start agent{}", i + 1);
    for (const Json& step : steps) {
      if (step.value("fault", "") == start) agents[i].up_at_start = false;
    }
  }
}

Result<Scenario> Parse(const std::string& name, const Json& document) {
  Scenario scenario;
  scenario.name = name;
  scenario.master_flags = document.at("master_flags").get<std::vector<std::string>>();
  for (const Json& agent : document.at("agents")) {
    scenario.agents.push_back({agent.at("flags"), agent.at("resources"), agent.at("attributes")});
  }
  scenario.files = document.value("files", std::map<std::string, std::string>{});
  int number = 0;
  for (const Json& json : document.at("steps")) {
    auto step = ParseStep(++number, json);
    if (!step) return Failure(Within(fmt::format("step {}", number), std::move(step).error()));
    scenario.steps.push_back(*std::move(step));
  }
  MarkLateAgents(document.at("steps"), scenario.agents);
  for (const Json& json : document.value("raw_connections", Json::array())) {
    KILN_TRY(RawConnection raw, ParseRawConnection(json));
    scenario.raw_connections.push_back(std::move(raw));
  }
  return scenario;
}

}  // namespace

Json At(const Json& json, const char* pointer) {
  const Json::json_pointer at(pointer);
  return json.contains(at) ? json.at(at) : Json();
}

Result<Scenario> ParseScenario(const std::string& name, const Json& document) {
  try {
    return Parse(name, document);
  } catch (const Json::exception& error) {
    return Fail(ErrorCode::kInvalidArgument, "{}: {}", name, error.what());
  }
}

Result<Scenario> ReadScenario(const std::filesystem::path& path) {
  std::ifstream file(path);
  const Json document = Json::parse(file, nullptr, false);
  if (document.is_discarded()) {
    return Fail(ErrorCode::kInvalidArgument, "{} is no JSON", path.string());
  }
  return ParseScenario(path.stem().string(), document);
}

double RecordedMs(const Scenario& scenario) {
  double total = 0;
  double events = 0;  // since the last step that is no stream step
  for (const Step& step : scenario.steps) {
    if (const auto* stream = std::get_if<StreamStep>(&step.action)) {
      for (const Event& event : stream->events) events = std::max(events, event.after_ms);
      continue;
    }
    const auto* wait = std::get_if<Wait>(&step.action);
    total += std::max(events, wait ? wait->ms : 0);
    events = 0;
  }
  return total + events;
}

std::string Describe(const Step& step) {
  if (step.label.empty()) return fmt::format("step {}", step.number);
  return fmt::format("step {} ({})", step.number, step.label);
}

}  // namespace kiln::replay
