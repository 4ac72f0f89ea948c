// For loops over many things that lie in no cache.
#pragma once

#include <cstddef>

namespace kiln {

// So far ahead of itself a loop asks for what it will look at.
inline constexpr size_t kAhead = 8;

// Asks for the first so many bytes; null is no fault.
inline void Prefetch(const void* what, size_t bytes = 64) {
  for (size_t at = 0; at < bytes; at += 64) {
    __builtin_prefetch(static_cast<const char*>(what) + at);
  }
}

}  // namespace kiln
