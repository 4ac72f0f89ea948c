// Result<T>: a value, or an Error with a code to act on and a sentence to read.
#pragma once

#include <fmt/format.h>

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace kiln {

// What a caller can act on. The REST codec maps each to one HTTP status, the command line to one
// exit code.
enum class ErrorCode {
  kInvalidArgument,     // the input is wrong and stays wrong
  kNotFound,            // the named thing is not there
  kConflict,            // the thing exists and differs, or somebody else wrote first
  kFailedPrecondition,  // right in itself, wrong at this time
  kResourceExhausted,   // too large, too many, or a full disk
  kPermissionDenied,
  kUnavailable,  // may be tried again
  kDeadlineExceeded,
  kDataLoss,       // stored bytes cannot be read back
  kUnimplemented,  // known, but not done by this program
  kInternal,       // a bug
};

// "INVALID_ARGUMENT" and so on.
const char* ErrorCodeName(ErrorCode code);

struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;  // thing, found, expected; lower case, no full stop
  std::string field;    // path of the offending field ("groups[0].cpus"), or empty

  bool operator==(const Error&) const = default;
};

template <typename T>
using Result = tl::expected<T, Error>;
using Status = tl::expected<void, Error>;
using Failure = tl::unexpected<Error>;

// return Fail(ErrorCode::kNotFound, "job {} is not known", name);
template <typename... Args>
Failure Fail(ErrorCode code, fmt::format_string<Args...> text, Args&&... args) {
  return Failure(Error{code, fmt::format(text, std::forward<Args>(args)...), {}});
}

// The same with the field that is wrong.
template <typename... Args>
Failure FailField(std::string field, fmt::format_string<Args...> text, Args&&... args) {
  return Failure(Error{ErrorCode::kInvalidArgument, fmt::format(text, std::forward<Args>(args)...),
                       std::move(field)});
}

// The same error with "context: " put before its message.
Error Within(std::string_view context, Error error);

}  // namespace kiln

// KILN_TRY(auto value, Read(path)): binds the value, or returns the error from this function.
#define KILN_TRY_NAME_2(a, b) a##b
#define KILN_TRY_NAME(a, b) KILN_TRY_NAME_2(a, b)
#define KILN_TRY(declaration, expression) \
  KILN_TRY_AT(KILN_TRY_NAME(result_, __LINE__), declaration, expression)
#define KILN_TRY_AT(name, declaration, expression)            \
  auto name = (expression);                                   \
  if (!name) return ::kiln::Failure(std::move(name).error()); \
  declaration = *std::move(name)

// KILN_TRY_OK(Write(path)): returns the error of a Status from this function.
#define KILN_TRY_OK(expression)                                                                    \
  do {                                                                                             \
    if (auto status_ = (expression); !status_) return ::kiln::Failure(std::move(status_).error()); \
  } while (false)
