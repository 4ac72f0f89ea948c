// Which processes belong to a process.
#pragma once

#include <sys/types.h>

#include <vector>

namespace kiln::executor {

// The children of `root`, theirs, and so on; read from /proc.
std::vector<pid_t> Descendants(pid_t root);

}  // namespace kiln::executor
