#include "scheduler/daemon/service_account.h"

#include <algorithm>

#include "wire/net/http.h"
#include "wire/net/rs256.h"
#include "wire/rest/json.h"

namespace kiln::scheduler {
namespace {

using wire::Json;

constexpr Duration kLoginLife = std::chrono::minutes(2);
constexpr Duration kUnsaid = std::chrono::hours(24);
constexpr Duration kPauseMax = std::chrono::minutes(1);
constexpr Duration kNew = std::chrono::seconds(10);

std::string Base64Url(std::string_view bytes) {
  std::string text = net::Base64Encode(bytes);
  while (text.ends_with('=')) text.pop_back();
  for (char& c : text) c = c == '+' ? '-' : c == '/' ? '_' : c;
  return text;
}

std::optional<std::string> FromBase64Url(std::string text) {
  for (char& c : text) c = c == '-' ? '+' : c == '_' ? '/' : c;
  while (text.size() % 4 != 0) text += '=';
  return net::Base64Decode(text);
}

Result<std::string> Member(const Json& json, const char* name) {
  const auto found = json.find(name);
  if (found == json.end() || !found->is_string() || found->get_ref<const std::string&>().empty()) {
    return Fail(ErrorCode::kInvalidArgument, "has no {}: expected a text", name);
  }
  return found->get<std::string>();
}

Result<Json> Object(std::string_view text) {
  auto json = wire::ParseJson(text);
  if (!json || !json->is_object()) {
    return Fail(ErrorCode::kInvalidArgument, "is no JSON object: expected one");
  }
  return json;
}

// The claim `exp` of a JSON Web Token.
std::optional<Instant> ExpiryOf(const std::string& token) {
  const size_t first = token.find('.');
  const size_t second = token.find('.', first + 1);
  if (first == std::string::npos || second == std::string::npos) return std::nullopt;
  const auto payload = FromBase64Url(token.substr(first + 1, second - first - 1));
  const auto claims = payload ? Object(*payload) : Object("");
  if (!claims || !claims->contains("exp") || !(*claims)["exp"].is_number()) return std::nullopt;
  const double seconds = (*claims)["exp"].get<double>();
  if (!(seconds > 0 && seconds < 9e9)) return std::nullopt;
  return Instant{} + FromSeconds(seconds);
}

}  // namespace

Result<ServiceAccount> ParseServiceAccount(std::string_view text) {
  KILN_TRY(const Json json, Object(text));
  KILN_TRY(const std::string scheme, Member(json, "scheme"));
  if (scheme != "RS256") {
    return Fail(ErrorCode::kInvalidArgument, "scheme is {}: expected RS256", scheme);
  }
  ServiceAccount account;
  KILN_TRY(account.uid, Member(json, "uid"));
  KILN_TRY(account.key, Member(json, "private_key"));
  KILN_TRY(account.endpoint, Member(json, "login_endpoint"));
  if (const auto url = net::ParseUrl(account.endpoint); !url) {
    return Failure(Within("login_endpoint", url.error()));
  }
  // Whether the key is one shows when it signs.
  KILN_TRY(const std::string body, LoginBody(account, Instant{}));
  return account;
}

Result<std::string> LoginBody(const ServiceAccount& account, Instant now) {
  const Json claims = {{"uid", account.uid},
                       {"exp", static_cast<int64_t>((now + kLoginLife).Seconds())}};
  const std::string text =
      Base64Url(R"({"alg":"RS256","typ":"JWT"})") + "." + Base64Url(wire::DumpJson(claims));
  KILN_TRY(const std::string signature, net::SignRs256(account.key, text));
  return wire::DumpJson({{"uid", account.uid}, {"token", text + "." + Base64Url(signature)}});
}

Result<Grant> ParseGrant(std::string_view body) {
  KILN_TRY(const Json json, Object(body));
  Grant grant;
  KILN_TRY(grant.token, Member(json, "token"));
  grant.expires = ExpiryOf(grant.token);
  return grant;
}

void LoginPlan::OnGrant(Instant now, std::optional<Instant> expires) {
  granted_ = now;
  // One that is over already is of another clock: whether it is good shows when it is used.
  const Duration life = expires && *expires > now ? *expires - now : kUnsaid;
  next_ = now + life / 4 * 3;
}

void LoginPlan::OnFailure(Instant now) {
  if (granted_ > failed_ && now - granted_ >= kNew) failures_ = 0;
  failed_ = now;
  next_ =
      now + std::min<Duration>(std::chrono::seconds(1) * (1 << std::min(failures_, 6)), kPauseMax);
  ++failures_;
}

void LoginPlan::OnRefused(Instant now) {
  if (now - granted_ < kNew) return OnFailure(now);
  next_ = now;
}

}  // namespace kiln::scheduler
