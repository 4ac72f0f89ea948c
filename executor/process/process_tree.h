// Which processes belong to a process.
#pragma once

#include <sys/types.h>

#include <vector>

namespace kiln::executor {

// `root` with all its descendants and all members of its session; read from /proc.
std::vector<pid_t> ProcessTree(pid_t root);

}  // namespace kiln::executor
