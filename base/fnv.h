// FNV-1a, 64 bits (Fowler, Noll, Vo): the same in every process and life, for what is stored or
// shared; no defence against those who choose the bytes.
#pragma once

#include <cstdint>
#include <string_view>

namespace kiln {

inline constexpr uint64_t kFnvBasis = 0xcbf29ce484222325;

// Of the bytes behind those of `hash`.
inline uint64_t Fnv1a(std::string_view bytes, uint64_t hash = kFnvBasis) {
  for (const char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

}  // namespace kiln
