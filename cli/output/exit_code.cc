#include "cli/output/exit_code.h"

namespace kiln::cli {

int ExitCodeOf(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
      return 64;
    case ErrorCode::kNotFound:
      return 66;
    case ErrorCode::kUnavailable:
    case ErrorCode::kDeadlineExceeded:
      return 69;
    case ErrorCode::kDataLoss:
    case ErrorCode::kUnimplemented:
    case ErrorCode::kInternal:
      return 70;
    case ErrorCode::kConflict:
      return 73;
    case ErrorCode::kResourceExhausted:
      return 74;
    case ErrorCode::kFailedPrecondition:
      return 75;
    case ErrorCode::kPermissionDenied:
      return 77;
  }
  return 70;
}

}  // namespace kiln::cli
