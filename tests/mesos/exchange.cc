// Runner: requests and their answers.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <random>

#include "tests/mesos/answer_matcher.h"
#include "tests/mesos/runner.h"
#include "wire/mesos/base64.h"
#include "wire/net/http.h"

namespace kiln::replay {
namespace {

Failure Differs(const Difference& difference) {
  return Fail(ErrorCode::kFailedPrecondition, "{}", Describe(difference));
}

// A random uuid, version 4, in base64.
std::string RandomUuid() {
  static thread_local std::mt19937_64 random(std::random_device{}());
  std::string bytes(16, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  bytes[6] = static_cast<char>((bytes[6] & 0x0f) | 0x40);
  bytes[8] = static_cast<char>((bytes[8] & 0x3f) | 0x80);
  return wire::EncodeBase64(bytes);
}

// The body in two chunks.
std::string Chunked(const std::string& body) {
  const size_t half = body.size() / 2;
  return fmt::format("{:x}\r\n{}\r\n{:x}\r\n{}\r\n0\r\n\r\n", half, body.substr(0, half),
                     body.size() - half, body.substr(half));
}

}  // namespace

// Values that the recorder chose itself.
Json Runner::Invent(const std::string& name, const std::string& label) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  if (name == "time_ns") {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
  }
  if (name == "timestamp") return std::chrono::duration<double>(now).count();
  if (name.starts_with("uuid_")) {
    const bool zero = label.find("zero bytes") != std::string::npos;
    return zero ? wire::EncodeBase64(std::string(16, '\0')) : RandomUuid();
  }
  if (name.starts_with("token_")) return InventToken(label);
  return fmt::format("${{{}}}", name);
}

// A token with a changed signature, or that of another executor.
Json Runner::InventToken(const std::string& label) {
  const Json* known = bindings_.Find("token_1");
  if (known && label.find("signature") != std::string::npos) {
    std::string token = known->get<std::string>();
    const size_t at = token.rfind('.') + 1;
    token[at] = token[at] == 'A' ? 'B' : 'A';
    return token;
  }
  const double limit = clock_.Ms() + kExecutorLimitMs;
  while (clock_.Ms() < limit) {
    for (const auto& sandbox : mesos_.SandboxesWith("env.txt")) {
      const auto variables = EnvironmentIn(sandbox);
      const auto token = variables.find("MESOS_EXECUTOR_AUTHENTICATION_TOKEN");
      if (token != variables.end() && (!known || *known != token->second)) return token->second;
    }
    if (!Pump(kPollMs)) break;
  }
  return "";
}

Status Runner::PlayToken(const Token& token) {
  const Json* known = bindings_.Find("token_1");
  if (!known) return Fail(ErrorCode::kNotFound, "no token in the environment");
  const std::string text = known->get<std::string>();
  const size_t first = text.find('.');
  const size_t second = text.find('.', first + 1);
  const auto decode = [](std::string part) {
    std::replace(part.begin(), part.end(), '-', '+');
    std::replace(part.begin(), part.end(), '_', '/');
    const auto bytes = wire::DecodeBase64(part);
    return bytes ? Json::parse(*bytes, nullptr, false) : Json();
  };
  if (auto difference = Match(token.header, decode(text.substr(0, first)), bindings_)) {
    return Differs(*difference);
  }
  const Json claims = decode(text.substr(first + 1, second - first - 1));
  if (auto difference = Match(token.claims, claims, bindings_)) return Differs(*difference);
  return {};
}

Result<std::string> Runner::EncodeBody(const Request& request, const Bindings::Inventor& invent) {
  switch (request.body) {
    case Request::Body::kNone:
      return "";
    case Request::Body::kRaw:
    case Request::Body::kText:
      return bindings_.FillText(request.text, invent);
    case Request::Body::kBase64:
      return wire::DecodeBase64(request.text);
    case Request::Body::kJson: {
      std::string body = bindings_.Fill(request.json, invent).dump();
      return request.gzip ? net::GzipCompress(body) : body;
    }
    case Request::Body::kProtobuf: {
      const Json json = bindings_.Fill(request.json, invent);
      return EncodeProtobuf(ApiOf(request.to, request.path), Role::kCall, json);
    }
  }
  return "";
}

Result<std::string> Runner::Encode(const Step& step, const Request& request) {
  const auto invent = [&](const std::string& name) { return Invent(name, step.label); };
  KILN_TRY(std::string body, EncodeBody(request, invent));
  if (request.body == Request::Body::kRaw) return body;
  KILN_TRY(const int port, mesos_.PortOf(request.to));
  std::string head = fmt::format("{} {} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n", request.method,
                                 bindings_.FillText(request.path, invent), port);
  for (const auto& [name, value] : request.headers) {
    head += fmt::format("{}: {}\r\n", name, bindings_.FillText(value, invent));
  }
  if (request.chunked) {
    const bool named = head.find("Transfer-Encoding") != std::string::npos;
    return head + (named ? "" : "Transfer-Encoding: chunked\r\n") + "\r\n" + Chunked(body);
  }
  if (request.body != Request::Body::kNone || request.method != "GET") {
    head += fmt::format("Content-Length: {}\r\n", body.size());
  }
  return head + "\r\n" + body;
}

// The process of a custom executor writes its environment when it has begun; its role is taken
// only then.
Status Runner::AwaitExecutor(const Exchange& exchange) {
  const Json& call = exchange.request.json;
  const bool subscribes = ApiOf(exchange.request.to, exchange.request.path) == Api::kExecutor &&
                          exchange.answer.body == Answer::Body::kStream && call.is_object() &&
                          call.value("type", Json()) == "SUBSCRIBE" && call.contains("executor_id");
  if (!subscribes) return {};
  const std::string id = call["executor_id"].value("value", "");
  const double limit = clock_.Ms() + kExecutorLimitMs;
  while (!mesos_.SandboxWith(id, "env.txt")) {
    if (clock_.Ms() > limit) {
      return Fail(ErrorCode::kFailedPrecondition, "executor {}: expected env.txt, found none", id);
    }
    KILN_TRY_OK(Pump(kPollMs));
  }
  return {};
}

// A command that runs according to its executor may still be on its way to its first line: a signal
// would find it without the handler that it is about to set, a reader its sandbox without output.
Status Runner::AwaitProcesses(const Exchange& exchange) {
  const Json task = At(exchange.request.json, "/kill/task_id/value");
  const bool looks = ApiOf(exchange.request.to, exchange.request.path) == Api::kAgentOperator;
  for (const auto& [name, since] : running_since_ms_) {
    if (!looks && name != task.dump()) continue;
    while (clock_.Ms() < since + kProcessMs) KILN_TRY_OK(Pump(kPollMs));
  }
  return {};
}

Result<Connection*> Runner::Connect(const Request& request) {
  auto& connection = connections_[request.connection];
  if (connection) {
    connection->Read(clock_.Ms());
    if (connection->open()) return connection.get();
  }
  streams_.erase(request.connection);
  KILN_TRY(const int port, mesos_.PortOf(request.to));
  auto opened = Connection::Open(port);
  if (!opened) {
    connections_.erase(request.connection);
    return Failure(std::move(opened).error());
  }
  connection = *std::move(opened);
  return connection.get();
}

Result<RawAnswer> Runner::WaitForAnswer(const Exchange& exchange, Connection& connection) {
  const double limit = clock_.Ms() + exchange.answer.after_ms + kAnswerLimitMs;
  auto& answers = connection.parser.answers;
  while (true) {
    // The head of an endless body is taken at the limit: its status tells more than its absence.
    if (!answers.empty() &&
        (answers.front().complete || connection.parser.streaming() || clock_.Ms() > limit)) {
      RawAnswer answer = std::move(answers.front());
      answers.pop_front();
      return answer;
    }
    if (!connection.open()) {
      return Fail(ErrorCode::kUnavailable, "expected {} {}, found a closed connection",
                  exchange.answer.status, exchange.answer.reason);
    }
    if (clock_.Ms() > limit) {
      return Fail(ErrorCode::kDeadlineExceeded, "expected {} {}, found no answer in {:.0f} ms",
                  exchange.answer.status, exchange.answer.reason,
                  exchange.answer.after_ms + kAnswerLimitMs);
    }
    replay::Pump(connections_, clock_, kPollMs);
  }
}

// While a master or agent starts, the recorded answers show each kind of refusal once: which of
// them are seen depends on the moment.
bool Runner::LaterStepExpects(const Step& step, const Exchange& exchange, int status) const {
  for (size_t i = static_cast<size_t>(step.number); i < scenario_.steps.size(); ++i) {
    const auto* later = std::get_if<Exchange>(&scenario_.steps[i].action);
    if (!later || later->request.json != exchange.request.json) return false;
    if (later->answer.status == status) return true;
  }
  return false;
}

Result<Runner::Outcome> Runner::NotReady(const Step& step, const Exchange& exchange, int status,
                                         const std::string& problem) {
  const auto started = started_at_ms_.find(exchange.request.to);
  const bool starting =
      started != started_at_ms_.end() && clock_.Ms() - started->second < kStartLimitMs;
  if (starting && status != 0 && LaterStepExpects(step, exchange, status)) return Outcome::kSkipped;
  if (starting && (status == 0 || status == 404 || status == 503)) return Outcome::kAgain;
  return Fail(ErrorCode::kFailedPrecondition, "{}", problem);
}

Result<Runner::Outcome> Runner::Attempt(const Step& step, const Exchange& exchange,
                                        const std::string& bytes) {
  const Answer& expected = exchange.answer;
  const auto connected = Connect(exchange.request);
  if (!connected && expected.status == 0) return Outcome::kPlayed;
  if (!connected) return NotReady(step, exchange, 0, connected.error().message);
  Connection& connection = **connected;
  if (expected.body == Answer::Body::kStream) connection.parser.ExpectStream();
  if (auto sent = connection.Send(bytes); !sent) {
    return NotReady(step, exchange, 0, sent.error().message);
  }
  const auto answer = WaitForAnswer(exchange, connection);
  if (expected.status == 0) {
    if (!answer && !connection.open()) return Outcome::kPlayed;
    return Fail(ErrorCode::kFailedPrecondition, "expected a closed connection, found {}",
                answer ? std::to_string(answer->status) : "an open one");
  }
  if (!answer) return NotReady(step, exchange, 0, answer.error().message);
  if (auto difference = MatchAnswer(exchange, *answer, bindings_)) {
    if (answer->status == expected.status) return Differs(*difference);
    connections_.erase(exchange.request.connection);
    return NotReady(step, exchange, answer->status, Describe(*difference));
  }
  if (expected.body == Answer::Body::kStream) {
    Stream& stream = streams_[exchange.request.connection] = Stream();
    stream.api = ApiOf(exchange.request.to, exchange.request.path);
    stream.content_type = answer->Header("Content-Type");
  }
  return Outcome::kPlayed;
}

Status Runner::PlayExchange(const Step& step, const Exchange& exchange) {
  KILN_TRY_OK(AwaitExecutor(exchange));
  KILN_TRY_OK(AwaitProcesses(exchange));
  KILN_TRY(const std::string bytes, Encode(step, exchange.request));
  while (true) {
    const double sent_ms = clock_.Ms();
    KILN_TRY(const Outcome outcome, Attempt(step, exchange, bytes));
    if (outcome == Outcome::kAgain) {
      KILN_TRY_OK(Pump(kPollMs));
      continue;
    }
    if (outcome == Outcome::kSkipped) return {};
    const double early = exchange.answer.after_ms - 500 - (clock_.Ms() - sent_ms);
    if (early > 0) {
      return Fail(ErrorCode::kFailedPrecondition, "answer: expected after {:.0f} ms, found {:.0f}",
                  exchange.answer.after_ms, clock_.Ms() - sent_ms);
    }
    timeline_.StepEnded(clock_.Ms(), exchange.answer.after_ms);
    return Pump(0);
  }
}

}  // namespace kiln::replay
