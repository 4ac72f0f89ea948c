#include "tests/mesos/answer_matcher.h"

#include <fmt/format.h>

#include <algorithm>

#include "wire/mesos/base64.h"
#include "wire/net/http.h"

namespace kiln::replay {
namespace {

using Found = std::optional<Difference>;

constexpr size_t kBodyLimit = size_t{64} << 20;

bool AcceptsGzip(const Request& request) {
  return std::any_of(request.headers.begin(), request.headers.end(), [](const auto& line) {
    return line.first == "Accept-Encoding" && line.second.find("gzip") != std::string::npos;
  });
}

Found MatchHeaders(const Exchange& recorded, const RawAnswer& found, Bindings& bindings) {
  for (const auto& [name, value] : recorded.answer.headers) {
    if (name == "Content-Encoding") continue;
    const std::string other = found.Header(name);
    if (auto difference = MatchText(value, other, bindings)) {
      difference->path = "header " + name;
      return difference;
    }
  }
  for (const auto& [name, value] : found.headers) {
    if (name == "Date" || name == "Content-Length" || recorded.answer.headers.contains(name)) {
      continue;
    }
    if (name == "Content-Encoding" && AcceptsGzip(recorded.request)) continue;
    return Difference{"header " + name, "nothing", fmt::format("\"{}\"", value)};
  }
  return {};
}

Found MatchJson(const Exchange& recorded, Api api, const std::string& body, Bindings& bindings) {
  const Answer& answer = recorded.answer;
  Json json = Json::parse(body, nullptr, false);
  if (answer.body == Answer::Body::kProtobuf) {
    auto decoded = DecodeProtobuf(api, Role::kAnswer, body);
    if (!decoded) return Difference{"body", "a message", decoded.error().message};
    json = *std::move(decoded);
  }
  if (json.is_discarded()) return Difference{"body", "JSON", fmt::format("\"{}\"", body)};
  if (answer.body == Answer::Body::kShape) return MatchShape(answer.json, json);
  const bool framework_api = api == Api::kScheduler || api == Api::kExecutor;
  return Match(answer.json, json, bindings, {.operator_answer = !framework_api});
}

Found MatchBody(const Exchange& recorded, std::string body, Bindings& bindings) {
  const Answer& answer = recorded.answer;
  switch (answer.body) {
    case Answer::Body::kNone:
    case Answer::Body::kStream:
      return {};
    case Answer::Body::kText:
      return MatchText(answer.text, body, bindings);
    case Answer::Body::kBase64:
      if (wire::EncodeBase64(body) == answer.text) return {};
      return Difference{"body", answer.text, wire::EncodeBase64(body)};
    case Answer::Body::kJson:
    case Answer::Body::kProtobuf:
    case Answer::Body::kShape:
      return MatchJson(recorded, ApiOf(recorded.request.to, recorded.request.path), body, bindings);
  }
  return {};
}

}  // namespace

std::optional<Difference> MatchAnswer(const Exchange& recorded, const RawAnswer& found,
                                      Bindings& bindings) {
  const Answer& answer = recorded.answer;
  const std::string status = fmt::format("{} {}", answer.status, answer.reason);
  const std::string other = fmt::format("{} {}", found.status, found.reason);
  if (status != other) {
    return Difference{"status", status, other + (found.body.empty() ? "" : ": " + found.body)};
  }
  if (auto difference = MatchHeaders(recorded, found, bindings)) return difference;
  std::string body = found.body;
  if (found.Header("Content-Encoding") == "gzip") {
    auto text = net::GzipUncompress(body, kBodyLimit);
    if (!text) return Difference{"body", "gzip", text.error().message};
    body = *std::move(text);
  }
  return MatchBody(recorded, std::move(body), bindings);
}

Result<Json> DecodeRecord(Api api, const std::string& content_type, const std::string& bytes) {
  if (content_type == "application/x-protobuf") return DecodeProtobuf(api, Role::kEvent, bytes);
  Json json = Json::parse(bytes, nullptr, false);
  if (json.is_discarded() || !json.is_object()) {
    return Fail(ErrorCode::kInvalidArgument, "a record that is no JSON object: {}", bytes);
  }
  return json;
}

}  // namespace kiln::replay
