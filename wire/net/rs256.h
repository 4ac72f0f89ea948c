// Signatures of JSON Web Tokens (RFC 7518): RSASSA-PKCS1-v1_5 with SHA-256.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace kiln::net {

// kInvalidArgument when `key` is no PEM private key of RSA. Nothing of the key is in the error.
Result<std::string> SignRs256(const std::string& key, std::string_view text);

}  // namespace kiln::net
