#include "scheduler/api/guard.h"

#include <algorithm>
#include <sstream>
#include <utility>

#include "base/sha256.h"
#include "scheduler/api/backend.h"
#include "scheduler/api/router.h"

namespace kiln::scheduler {
namespace {

constexpr std::string_view kDigest = "sha256:";
constexpr std::string_view kJob = "kiln-job.";
constexpr std::string_view kBearer = "bearer ";
constexpr size_t kTokenMin = 16;
constexpr Limiter::Rate kGuesses{.per_second = 1, .burst = 20};
constexpr double kBurstSeconds = 10;  // what a caller may ask at once after a pause
constexpr size_t kProvenMax = 10'000;
constexpr size_t kTokenMax = 1024;
constexpr size_t kNameMax = 63;

bool IsLetterOrDigit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool IsOf(std::string_view text, std::string_view more) {
  return std::all_of(text.begin(), text.end(), [more](char c) {
    return IsLetterOrDigit(c) || more.find(c) != std::string_view::npos;
  });
}

std::string DigestOf(std::string_view text) {
  Sha256 sha;
  sha.Update(text);
  return sha.Finish();
}

// In a time that tells nothing about where they differ.
bool Same(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned difference = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    difference |= static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[i]);
  }
  return difference == 0;
}

std::optional<std::string> FromHex(std::string_view digits) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  if (digits.size() != 64) return std::nullopt;
  std::string bytes;
  for (size_t i = 0; i < digits.size(); i += 2) {
    const size_t high = kDigits.find(digits[i]), low = kDigits.find(digits[i + 1]);
    if (high == std::string_view::npos || low == std::string_view::npos) return std::nullopt;
    bytes += static_cast<char>(high * 16 + low);
  }
  return bytes;
}

// Of the token as it stands in the file.
Result<std::string> ReadToken(const std::string& text) {
  if (text.starts_with(kDigest)) {
    if (auto digest = FromHex(std::string_view(text).substr(kDigest.size()))) return *digest;
    return Fail(ErrorCode::kInvalidArgument,
                "digest is none: expected sha256: and 64 digits of 0-9 and a-f");
  }
  // As RFC 6750 has them.
  if (text.size() < kTokenMin || text.size() > kTokenMax || !IsOf(text, "-._~+/=")) {
    return Fail(ErrorCode::kInvalidArgument,
                "token is none: expected {} to {} letters, digits and -._~+/=", kTokenMin,
                kTokenMax);
  }
  return DigestOf(text);
}

Result<Token> ReadLine(const std::string& line) {
  std::istringstream stream(line);
  std::string access, name, token, more;
  stream >> access >> name >> token;
  const auto parsed = ParseAccess(access);
  if (!parsed || token.empty() || stream >> more) {
    return Fail(ErrorCode::kInvalidArgument,
                "expected ACCESS NAME TOKEN with an access of view, submit or admin");
  }
  if (name.size() > kNameMax || !IsOf(name, "-._@")) {
    return Fail(ErrorCode::kInvalidArgument,
                "name is none: expected at most {} letters, digits and -._@", kNameMax);
  }
  KILN_TRY(std::string digest, ReadToken(token));
  return Token{std::move(name), *parsed, std::move(digest)};
}

Status CheckTwice(const std::vector<Token>& before, const Token& token) {
  for (const Token& other : before) {
    if (other.name == token.name || other.digest == token.digest) {
      return Fail(ErrorCode::kInvalidArgument, "{} stands twice: expected once",
                  other.name == token.name ? "name" : "token");
    }
  }
  return {};
}

net::Response Refused(int status, std::string message) {
  net::Response response =
      net::ErrorResponse({ErrorCode::kPermissionDenied, std::move(message), {}});
  response.status = status;
  if (status == 401) response.headers.Set("WWW-Authenticate", "Bearer");
  return response;
}

net::Response Later(Duration wait, const std::string& why) {
  const auto seconds = std::max<int64_t>(1, std::chrono::ceil<std::chrono::seconds>(wait).count());
  net::Response response =
      net::ErrorResponse({ErrorCode::kResourceExhausted,
                          fmt::format("{}: expected the next one in {} s", why, seconds),
                          {}});
  response.status = 429;
  response.headers.Set("Retry-After", std::to_string(seconds));
  return response;
}

// The token that the caller shows.
std::optional<std::string_view> Shown(const net::Request& head) {
  std::string_view value = head.headers.Get("Authorization").value_or("");
  const bool bearer =
      value.size() > kBearer.size() &&
      std::equal(kBearer.begin(), kBearer.end(), value.begin(), [](char wanted, char found) {
        return wanted == std::tolower(static_cast<unsigned char>(found));
      });
  if (!bearer) return std::nullopt;
  return value.substr(kBearer.size());
}

}  // namespace

Result<std::vector<Token>> ParseTokens(std::string_view text) {
  std::vector<Token> tokens;
  std::istringstream stream{std::string(text)};
  int number = 0;
  for (std::string line; std::getline(stream, line);) {
    ++number;
    const size_t first = line.find_first_not_of(" \t\r");
    if (first == std::string::npos || line[first] == '#') continue;
    auto token = ReadLine(line);
    if (!token) return Failure(Within(fmt::format("line {}", number), token.error()));
    if (const Status once = CheckTwice(tokens, *token); !once) {
      return Failure(Within(fmt::format("line {}", number), once.error()));
    }
    tokens.push_back(*std::move(token));
  }
  if (tokens.empty()) {
    return Fail(ErrorCode::kInvalidArgument, "has no token: expected one at least");
  }
  return tokens;
}

std::string JobToken(const std::string& key, const std::string& job, uint64_t digest) {
  return fmt::format("{}{}.{}", kJob, job,
                     ToHex(HmacSha256(key, fmt::format("{}\n{:016x}", job, digest))));
}

Guard::Guard(std::vector<Token> tokens, std::string job_key, double rate, const Backend& backend)
    : tokens_(std::move(tokens)),
      job_key_(std::move(job_key)),
      guesses_(kGuesses),
      backend_(backend) {
  if (rate > 0) requests_.emplace(Limiter::Rate{rate, std::max(1.0, rate * kBurstSeconds)});
}

std::optional<net::Response> Guard::Refusal(const net::Request& head, const Route* route,
                                            Instant now) {
  const Access needed = route == nullptr ? Access::kView : AccessOf(*route);
  if (needed == Access::kOpen) return std::nullopt;
  const std::string address = head.peer.substr(0, head.peer.rfind(':'));
  if (tokens_.empty()) return TooOften(address, now);
  const auto shown = Shown(head);
  if (!shown) {
    return Refused(401, "a token is missing: expected the header Authorization: Bearer TOKEN");
  }
  const std::string digest = DigestOf(*shown);
  const std::string proof = address + " " + digest;
  const auto wait = guesses_.Wait(address, now);
  if (wait && !proven_.contains(proof)) {
    return Later(*wait, fmt::format("{} has shown too many tokens that are not known", address));
  }
  auto caller = Know(*shown, digest, route);
  if (!caller) {
    guesses_.Take(address, now);
    return Refused(401, "the token is not known: expected one of the scheduler's tokens file");
  }
  if (proven_.size() >= kProvenMax) proven_.clear();
  proven_.insert(proof);
  if (auto late = TooOften(caller->name.empty() ? proof : caller->name, now)) return late;
  return std::move(caller->refusal);
}

bool Guard::SetTokens(std::vector<Token> tokens) {
  const std::vector<Token> before = std::exchange(tokens_, std::move(tokens));
  return std::any_of(before.begin(), before.end(), [this](const Token& token) {
    const Token* found = Find(token.digest);
    return found == nullptr || found->access < token.access;
  });
}

std::optional<Guard::Caller> Guard::Know(std::string_view shown, const std::string& digest,
                                         const Route* route) const {
  const Access needed = route == nullptr ? Access::kView : AccessOf(*route);
  if (const Token* token = Find(digest)) {
    if (token->access >= needed) return Caller{token->name, std::nullopt};
    return Caller{token->name,
                  Refused(403, fmt::format("access of {} is {}: expected {}", token->name,
                                           AccessName(token->access), AccessName(needed)))};
  }
  if (!IsOfLiveJob(shown)) return std::nullopt;
  if (route != nullptr && IsForTasks(*route)) return Caller{};
  return Caller{"", Refused(403, fmt::format("the token is of a job's tasks: expected one with "
                                             "access {}",
                                             AccessName(needed)))};
}

std::optional<net::Response> Guard::TooOften(const std::string& caller, Instant now) {
  const auto wait = requests_ ? requests_->Take(caller, now) : std::nullopt;
  if (!wait) return std::nullopt;
  return Later(*wait, "there were too many requests of this caller");
}

const Token* Guard::Find(const std::string& digest) const {
  const Token* found = nullptr;
  for (const Token& each : tokens_) {
    if (Same(each.digest, digest)) found = &each;
  }
  return found;
}

bool Guard::IsOfLiveJob(std::string_view token) const {
  if (job_key_.empty() || !token.starts_with(kJob)) return false;
  const size_t dot = token.rfind('.');
  if (dot < kJob.size()) return false;
  const std::string name(token.substr(kJob.size(), dot - kJob.size()));
  const auto& jobs = backend_.state().jobs;
  const auto job = jobs.find(name);
  if (job == jobs.end() || IsEnded(job->second.phase)) return false;
  return Same(JobToken(job_key_, name, job->second.digest), token);
}

}  // namespace kiln::scheduler
