// Who calls the API, and whether they may.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "scheduler/api/access.h"
#include "scheduler/api/limiter.h"
#include "wire/net/http.h"

namespace kiln::scheduler {

class Backend;

// A line of the tokens file. The token itself is not kept.
struct Token {
  std::string name;
  Access access = Access::kView;
  std::string digest;  // the 32 bytes of its SHA-256

  bool operator==(const Token&) const = default;
};

// Lines of "ACCESS NAME TOKEN", where TOKEN is the token or "sha256:" with the 64 hexadecimal
// digits of its digest; empty lines and those that begin with # are left out. Errors name the line
// and nothing that stands in it.
Result<std::vector<Token>> ParseTokens(std::string_view text);

// What the tasks of a job show: it follows from the key, so nobody stores it.
std::string JobToken(const std::string& key, const std::string& job, uint64_t digest);

// Callers are told apart by their tokens, tasks also by their address, and all by it where there
// are no tokens. An address that has shown many tokens that are not known is let in with those that
// it has shown before alone, but for one try a second.
//
// Threads: the loop's alone. Owner: the API; the backend outlives it.
class Guard {
 public:
  // Without tokens everybody may do everything. `rate`: requests a second of each caller, in the
  // long run; 0: any number.
  Guard(std::vector<Token> tokens, std::string job_key, double rate, const Backend& backend);

  // The answer to a caller who may not use the route, now: 401, 403 or 429. A path that is no route
  // (null) is told to those who may look.
  std::optional<net::Response> Refusal(const net::Request& head, const Route* route, Instant now);
  // Others from here on; at least one. True when somebody may do less than before.
  bool SetTokens(std::vector<Token> tokens);

 private:
  // Who calls, and whether they may.
  struct Caller {
    std::string name;
    std::optional<net::Response> refusal;
  };
  std::optional<Caller> Know(std::string_view token, const std::string& digest,
                             const Route* route) const;
  std::optional<net::Response> TooOften(const std::string& caller, Instant now);
  const Token* Find(const std::string& digest) const;
  bool IsOfLiveJob(std::string_view token) const;

  std::vector<Token> tokens_;
  std::string job_key_;
  std::optional<Limiter> requests_;  // none: any number
  Limiter guesses_;                  // by address
  std::set<std::string> proven_;     // addresses with the digests of tokens that were good there
  const Backend& backend_;
};

}  // namespace kiln::scheduler
