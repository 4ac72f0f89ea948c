// What is wrong, as one sentence.
#pragma once

#include <string>

#include "base/result.h"

namespace CLI {
class App;
class ParseError;
}  // namespace CLI

namespace kiln::cli {

// With the field.
std::string TextOf(const Error& error);

// Of arguments that are none: after app.parse has thrown the error.
Error UsageError(const CLI::App& app, const CLI::ParseError& error);

}  // namespace kiln::cli
