// The tokens that executors prove themselves with: JSON Web Tokens signed by HMAC-SHA256 (RFC
// 7519), claims fid, eid, cid.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "local/cluster/agent_values.h"

namespace kiln::local {

std::string MakeToken(const RunKey& key, std::string_view secret);
// The claims, or why the token is not good, in Mesos's words.
Result<ExecutorClaims> CheckToken(std::string_view token, std::string_view secret);

// The claims behind an Authorization header; the error is the value of WWW-Authenticate.
Result<ExecutorClaims> CheckAuthorization(std::optional<std::string_view> header,
                                          std::string_view secret);

}  // namespace kiln::local
