#include "local/node/http_call.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <vector>

#include "proto/mesos/v1/mesos.pb.h"

namespace kiln::local {
namespace {

constexpr size_t kCompressMin = 1024;
constexpr size_t kUncompressedMax = size_t{256} << 20;

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

std::string_view Trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::vector<std::string_view> Split(std::string_view text, char by) {
  std::vector<std::string_view> parts;
  for (;;) {
    const size_t at = text.find(by);
    parts.push_back(Trim(text.substr(0, at)));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

// "q=0" and its longer forms exclude a type; the order of other weights means nothing to Mesos.
bool Excluded(const std::vector<std::string_view>& parts) {
  for (size_t i = 1; i < parts.size(); ++i) {
    const std::string parameter = Lower(parts[i]);
    if (!parameter.starts_with("q=")) continue;
    const std::string value = parameter.substr(2);
    return !value.empty() && value.find_first_not_of("0.") == std::string::npos;
  }
  return false;
}

// True when some range of the header value covers the item; ranges are "item", "kind/*" or "all".
bool Covers(std::string_view header, std::string_view item, std::string_view all) {
  const std::string_view kind = item.substr(0, item.find('/'));
  for (std::string_view part : Split(header, ',')) {
    const auto pieces = Split(part, ';');
    if (pieces.empty() || Excluded(pieces)) continue;
    const std::string range = Lower(pieces[0]);
    if (range == item || range == all || range == std::string(kind) + "/*") return true;
  }
  return false;
}

}  // namespace

net::Response TextAnswer(int status, std::optional<std::string> text) {
  net::Response response;
  response.status = status;
  response.headers.Set("Content-Type", "text/plain; charset=utf-8");
  response.body =
      text ? *std::move(text) : fmt::format("{} {}.", status, net::ReasonPhrase(status));
  return response;
}

net::Response JsonAnswer(std::string json) {
  net::Response response;
  response.headers.Set("Content-Type", "application/json");
  response.body = std::move(json);
  return response;
}

net::Response MessageAnswer(wire::Encoding encoding, const google::protobuf::Message& message) {
  net::Response response;
  response.headers.Set("Content-Type", wire::MediaType(encoding));
  response.body = wire::Serialize(encoding, message);
  return response;
}

std::optional<net::Response> RefuseMethod(const net::Request& request,
                                          const std::vector<std::string>& methods) {
  if (std::count(methods.begin(), methods.end(), request.method) > 0) return std::nullopt;
  net::Response response = TextAnswer(
      405, fmt::format("405 Method Not Allowed. Expecting one of {{ '{}' }}, but received '{}'.",
                       fmt::join(methods, "', '"), request.method));
  response.headers.Set("Allow", fmt::format("{}", fmt::join(methods, ", ")));
  return response;
}

DecodedCall DecodeCall(const net::Request& request, google::protobuf::Message& call,
                       std::string_view media_types) {
  if (auto refusal = RefuseMethod(request)) return {{}, std::move(refusal)};
  const auto type = request.headers.Get("Content-Type");
  if (!type) return {{}, TextAnswer(400, "Expecting 'Content-Type' to be present")};
  const auto encoding = wire::EncodingOf(*type);
  if (!encoding) {
    return {{}, TextAnswer(415, fmt::format("Expecting 'Content-Type' of {}", media_types))};
  }
  const auto coding = request.headers.Get("Content-Encoding");
  std::string plain;
  if (coding && *coding == "gzip") {
    auto uncompressed = net::GzipUncompress(request.body, kUncompressedMax);
    if (!uncompressed) return {*encoding, TextAnswer(500, "failed to decode body")};
    plain = *std::move(uncompressed);
  }
  if (auto parsed = wire::Parse(*encoding, plain.empty() ? request.body : plain, call); !parsed) {
    return {*encoding, TextAnswer(400, parsed.error().message)};
  }
  return {*encoding, std::nullopt};
}

bool Accepts(const net::Request& request, std::string_view media_type) {
  const auto accept = request.headers.Get("Accept");
  return !accept || Covers(*accept, media_type, "*/*");
}

std::optional<wire::Encoding> AcceptedEncoding(const net::Request& request) {
  for (const auto encoding : {wire::Encoding::kJson, wire::Encoding::kProtobuf}) {
    if (Accepts(request, wire::MediaType(encoding))) return encoding;
  }
  return std::nullopt;
}

net::Response NotAcceptable() {
  return TextAnswer(406,
                    "Expecting 'Accept' to allow 'application/x-protobuf' or 'application/json'");
}

void CompressFor(const net::Request& request, net::Response& response) {
  if (response.body.size() < kCompressMin || response.headers.Has("Content-Encoding")) return;
  const auto accept = request.headers.Get("Accept-Encoding");
  if (!accept || !Covers(*accept, "gzip", "*")) return;
  response.body = net::GzipCompress(response.body);
  response.headers.Set("Content-Encoding", "gzip");
}

}  // namespace kiln::local
