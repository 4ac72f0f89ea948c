#include "local/node/agent_token.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <vector>

#include "wire/mesos/json.h"
#include "wire/net/http.h"

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

std::string Sign(std::string_view text, std::string_view secret) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data(), &size);
  return {digest.begin(), digest.begin() + size};
}

// The text value of a key in the compact JSON that MakeToken writes.
std::optional<std::string> Claim(const std::string& json, const char* key) {
  const std::string mark = fmt::format("\"{}\":\"", key);
  const size_t begin = json.find(mark);
  if (begin == std::string::npos) return std::nullopt;
  size_t end = begin + mark.size();
  while (end < json.size() && json[end] != '"') end += json[end] == '\\' ? 2 : 1;
  if (end >= json.size()) return std::nullopt;
  mesos::v1::TaskID text;
  const std::string value = json.substr(begin + mark.size(), end - begin - mark.size());
  if (!wire::FromJson("{\"value\":\"" + value + "\"}", text)) return std::nullopt;
  return text.value();
}

Failure Invalid(const std::string& why) {
  return Fail(ErrorCode::kPermissionDenied, "Invalid JWT: {}", why);
}

}  // namespace

std::string MakeToken(const RunKey& key, std::string_view secret) {
  const std::string payload =
      fmt::format(R"({{"cid":{},"eid":{},"fid":{}}})", net::JsonString(key.container_id),
                  net::JsonString(key.executor_id), net::JsonString(key.framework_id));
  const std::string text = Base64Url(R"({"alg":"HS256","typ":"JWT"})") + "." + Base64Url(payload);
  return text + "." + Base64Url(Sign(text, secret));
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
  const std::string expected = Sign(token.substr(0, token.rfind('.')), secret);
  if (signature.size() != expected.size() ||
      CRYPTO_memcmp(signature.data(), expected.data(), expected.size()) != 0) {
    return Invalid("Token signature does not match");
  }
  const std::string payload = FromBase64Url(parts[1]).value_or("");
  return ExecutorClaims{Claim(payload, "fid").value_or(""), Claim(payload, "eid").value_or(""),
                        Claim(payload, "cid").value_or("")};
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
