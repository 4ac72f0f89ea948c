#include "scheduler/placement/shape.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <limits>
#include <numeric>

namespace kiln::scheduler {
namespace {

// The finalizer of SplitMix64 over what came before.
uint64_t Mix(uint64_t hash, uint64_t word) {
  hash = (hash ^ word) * 0xbf58476d1ce4e5b9;
  return hash ^ (hash >> 29);
}

}  // namespace

int Shape::FreeMilli() const { return std::accumulate(free.begin(), free.end(), 0); }

size_t HashOf::operator()(const Shape& shape) const {
  uint64_t hash =
      Mix(static_cast<uint64_t>(shape.cpus_milli), static_cast<uint64_t>(shape.mem.count));
  hash = Mix(hash, static_cast<uint64_t>(shape.kind) << 32 | static_cast<uint64_t>(shape.devices));
  for (size_t i = 0; i < shape.free.size(); i += 4) {
    uint64_t word = 0;
    std::memcpy(&word, &shape.free[i], sizeof(word));
    hash = Mix(hash, word);
  }
  return hash;
}

size_t HashOf::operator()(const Need& need) const {
  uint64_t hash =
      Mix(static_cast<uint64_t>(need.cpus_milli), static_cast<uint64_t>(need.mem.count));
  hash = Mix(hash, static_cast<uint64_t>(need.devices) << 32 | static_cast<uint64_t>(need.milli));
  return Mix(hash, need.kinds);
}

bool Fits(const Need& need, const Shape& shape) {
  if (shape.cpus_milli < need.cpus_milli || shape.mem < need.mem) return false;
  if (need.devices == 0) return true;
  return need.devices <= shape.devices && (need.kinds >> shape.kind & 1) != 0 &&
         shape.free[static_cast<size_t>(need.devices) - 1] >= need.milli;
}

size_t CountOf(const Need& need, const Shape& shape) {
  if (!Fits(need, shape)) return 0;
  int64_t count = std::numeric_limits<int64_t>::max();
  if (need.cpus_milli > 0) count = shape.cpus_milli / need.cpus_milli;
  if (need.mem.count > 0) count = std::min(count, shape.mem.count / need.mem.count);
  if (need.devices > 0) {
    int64_t parts = 0;
    for (const int16_t free : shape.free) {
      if (free < need.milli) break;
      parts += free / need.milli;
    }
    count = std::min(count, parts / need.devices);
  }
  return static_cast<size_t>(count);
}

Shape Without(Shape shape, const Need& need, int device) {
  shape.cpus_milli -= need.cpus_milli;
  shape.mem = shape.mem - need.mem;
  if (need.IsShare()) {
    auto place = shape.free.begin() + device;
    *place = static_cast<int16_t>(*place - need.milli);
    for (auto next = place + 1; next != shape.free.end() && *next > *place; ++place, ++next) {
      std::swap(*place, *next);
    }
  } else if (need.devices > 0) {
    const auto rest =
        std::copy(shape.free.begin() + need.devices, shape.free.end(), shape.free.begin());
    std::fill(rest, shape.free.end(), int16_t{0});
  }
  return shape;
}

}  // namespace kiln::scheduler
