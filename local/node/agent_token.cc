#include "local/node/agent_token.h"

#include <fmt/format.h>

#include <vector>

#include "base/sha256.h"
#include "wire/net/http.h"
#include "wire/rest/json.h"

namespace kiln::local {
namespace {

std::string Base64Url(std::string_view bytes) {
  std::string text = net::Base64Encode(bytes);
  while (text.ends_with('=')) text.pop_back();
  for (char& c : text) c = c == '+' ? '-' : c == '/' ? '_' : c;
  return text;
}

std::optional<std::string> FromBase64Url(std::string_view text) {
  std::string standard(text);
  for (char& c : standard) c = c == '-' ? '+' : c == '_' ? '/' : c;
  while (standard.size() % 4 != 0) standard += '=';
  return net::Base64Decode(standard);
}

// Takes as long wherever the first difference is.
bool SameSecret(const std::string& a, const std::string& b) {
  if (a.size() != b.size()) return false;
  unsigned difference = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    difference |= static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[i]);
  }
  return difference == 0;
}

Failure Invalid(const std::string& why) {
  return Fail(ErrorCode::kPermissionDenied, "Invalid JWT: {}", why);
}

}  // namespace

std::string MakeToken(const RunKey& key, std::string_view secret) {
  const std::string payload = wire::DumpJson(
      {{"cid", key.container_id}, {"eid", key.executor_id}, {"fid", key.framework_id}});
  const std::string text = Base64Url(R"({"alg":"HS256","typ":"JWT"})") + "." + Base64Url(payload);
  return text + "." + Base64Url(HmacSha256(secret, text));
}

Result<ExecutorClaims> CheckToken(std::string_view token, std::string_view secret) {
  std::vector<std::string_view> parts;
  for (std::string_view rest = token;;) {
    const size_t dot = rest.find('.');
    parts.push_back(rest.substr(0, dot));
    if (dot == std::string_view::npos) break;
    rest.remove_prefix(dot + 1);
  }
  if (parts.size() != 3) {
    return Invalid(fmt::format("Expected 3 components in token, got {}", parts.size()));
  }
  const std::string signature = FromBase64Url(parts[2]).value_or("");
  const std::string expected = HmacSha256(secret, token.substr(0, token.rfind('.')));
  if (!SameSecret(signature, expected)) {
    return Invalid("Token signature does not match");
  }
  const auto payload = wire::ParseJson(FromBase64Url(parts[1]).value_or(""));
  if (!payload || !payload->is_object()) return Invalid("Token payload is no JSON object");
  auto claim = [&](const char* name) {
    auto found = payload->find(name);
    return found != payload->end() && found->is_string() ? found->get<std::string>() : "";
  };
  return ExecutorClaims{claim("fid"), claim("eid"), claim("cid")};
}

Result<ExecutorClaims> CheckAuthorization(std::optional<std::string_view> header,
                                          std::string_view secret) {
  const std::string challenge = "Bearer realm=\"mesos-agent-executor\"";
  auto refuse = [&](const std::string& why) {
    return Fail(ErrorCode::kPermissionDenied,
                "{}, error=\"invalid_token\", error_description=\"{}\"", challenge, why);
  };
  if (!header) return Fail(ErrorCode::kPermissionDenied, "{}", challenge);
  const size_t blank = header->find(' ');
  if (blank == std::string_view::npos || header->find(' ', blank + 1) != std::string_view::npos) {
    return refuse("Malformed 'Authorization' header");
  }
  const std::string_view scheme = header->substr(0, blank);
  if (scheme != "Bearer") return refuse(fmt::format("Scheme '{}' unsupported", scheme));
  auto claims = CheckToken(header->substr(blank + 1), secret);
  if (!claims) return refuse(claims.error().message);
  return claims;
}

}  // namespace kiln::local
