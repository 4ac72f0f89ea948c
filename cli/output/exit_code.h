// What the program's exit tells a script.
#pragma once

#include "base/result.h"

namespace kiln::cli {

inline constexpr int kExitDone = 0;
inline constexpr int kExitFailed = 1;  // the job failed or was killed; a plan does not fit
inline constexpr int kExitUsage = 2;   // wrong arguments

// 64 wrong input, 66 not found, 69 no answer, 70 a fault of the program, 73 in conflict, 74 no
// room, 75 not at this time, 77 not allowed: the numbers of sysexits.h where it has them.
int ExitCodeOf(ErrorCode code);

}  // namespace kiln::cli
