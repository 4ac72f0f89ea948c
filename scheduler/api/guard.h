// Who calls the API, and whether they may.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "scheduler/api/access.h"
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

// Threads: the loop's alone. Owner: the API; the backend outlives it.
class Guard {
 public:
  // Without tokens everybody may do everything.
  Guard(std::vector<Token> tokens, std::string job_key, const Backend& backend)
      : tokens_(std::move(tokens)), job_key_(std::move(job_key)), backend_(backend) {}

  // The answer to a caller who may not use the route: 401 or 403. A path that is no route (null) is
  // told to those who may look.
  std::optional<net::Response> Refusal(const net::Request& head, const Route* route) const;

 private:
  const Token* Find(std::string_view token) const;
  bool IsOfLiveJob(std::string_view token) const;

  std::vector<Token> tokens_;
  std::string job_key_;
  const Backend& backend_;
};

}  // namespace kiln::scheduler
