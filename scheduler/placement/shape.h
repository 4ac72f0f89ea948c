// What is free on a node and what a task needs of it, as small values that can be compared, hashed
// and scored by the million. Equal nodes have equal shapes: no names.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "model/units.h"

namespace kiln::scheduler {

inline constexpr int kDevicesMax = 16;  // of one node; what stands beyond is not weighed
inline constexpr int kWhole = 1000;     // thousandths of a device

struct Shape {
  int64_t cpus_milli = 0;
  Bytes mem;
  int16_t kind = 0;     // of its devices: a number below 64 to which the caller gives meaning
  int16_t devices = 0;  // free or not
  std::array<int16_t, kDevicesMax> free{};  // thousandths of each device, the freest first

  bool operator==(const Shape&) const = default;
  // Of all devices together.
  int FreeMilli() const;
};

// One task. A share of a device has one device and `milli` below 1000.
struct Need {
  int64_t cpus_milli = 0;
  Bytes mem;
  int devices = 0;
  int milli = kWhole;      // of each device
  uint64_t kinds = ~0ULL;  // a bit for each kind that will do

  bool operator==(const Need&) const = default;
  bool IsShare() const { return devices == 1 && milli < kWhole; }
  int TotalMilli() const { return devices * milli; }
};

struct HashOf {
  size_t operator()(const Shape& shape) const;
  size_t operator()(const Need& need) const;
};

bool Fits(const Need& need, const Shape& shape);

// How many fit one after the other, on whatever devices.
size_t CountOf(const Need& need, const Shape& shape);

// What is left. Requires Fits; a share is taken from the device at `device` in the order of the
// shape, whole devices from the free ones.
Shape Without(Shape shape, const Need& need, int device);

}  // namespace kiln::scheduler
