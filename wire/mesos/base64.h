// Base64 with Mesos's leniencies.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace kiln::wire {

// The standard alphabet, padded.
std::string EncodeBase64(std::string_view bytes);
// Skips white space, ends at the first '=', and does not ask for padding. The error message is
// Mesos's: "Invalid character '#'".
Result<std::string> DecodeBase64(std::string_view text);

}  // namespace kiln::wire
