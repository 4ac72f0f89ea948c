// KILN_CHECK: a condition that only a bug can break. Ends the process with the place and the
// condition.
#pragma once

#include <cstdio>
#include <cstdlib>

#define KILN_CHECK(condition)                                                            \
  do {                                                                                   \
    if (!(condition)) {                                                                  \
      std::fprintf(stderr, "%s:%d: check failed: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                      \
    }                                                                                    \
  } while (false)
