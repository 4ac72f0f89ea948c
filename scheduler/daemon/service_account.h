// A service account of DC/OS: what its secret says, how it logs in, and when.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"

namespace kiln::scheduler {

struct ServiceAccount {
  std::string uid;
  std::string key;       // PEM
  std::string endpoint;  // URL where it logs in

  bool operator==(const ServiceAccount&) const = default;
};

// The JSON of the secret: {"scheme": "RS256", "uid", "private_key", "login_endpoint"}. Errors name
// the member, and tell nothing of the key.
Result<ServiceAccount> ParseServiceAccount(std::string_view text);

// The body of the login: the uid and a token of its own, good for two minutes, signed by its key.
Result<std::string> LoginBody(const ServiceAccount& account, Instant now);

// What a login gives.
struct Grant {
  std::string token;
  std::optional<Instant> expires;  // as the token says it

  bool operator==(const Grant&) const = default;
};
// Of the answer's body, {"token"}.
Result<Grant> ParseGrant(std::string_view body);

// When to log in. Values in, values out: time is an argument.
class LoginPlan {
 public:
  // The next login.
  Instant next() const { return next_; }
  // After three quarters of the token's life, and a day where it does not say.
  void OnGrant(Instant now, std::optional<Instant> expires);
  // The login failed: pauses double, from a second to a minute.
  void OnFailure(Instant now);
  // The token was refused: at once, unless it is new. Then the next one would be refused too, and
  // this counts as a failure.
  void OnRefused(Instant now);

 private:
  Instant next_;
  Instant granted_;
  Instant failed_;
  int failures_ = 0;  // since a grant that was not refused at once
};

}  // namespace kiln::scheduler
