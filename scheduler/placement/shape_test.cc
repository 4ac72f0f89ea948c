#include "scheduler/placement/shape.h"

#include <gtest/gtest.h>

namespace kiln::scheduler {
namespace {

Shape Node(int64_t cpus_milli, std::initializer_list<int16_t> free) {
  Shape shape{.cpus_milli = cpus_milli, .mem = GiB(8), .kind = 1};
  for (const int16_t milli : free) shape.free[static_cast<size_t>(shape.devices++)] = milli;
  return shape;
}

TEST(Shape, WhatIsTakenIsGoneAndTheFreestDeviceStandsFirst) {
  struct Case {
    Need need;
    int device;
    Shape from;
    bool fits;
    Shape left;
  };
  const Case cases[] = {
      {{.cpus_milli = 500}, 0, Node(1000, {1000}), true, Node(500, {1000})},
      {{.cpus_milli = 1500}, 0, Node(1000, {1000}), false, {}},
      {{.mem = GiB(9)}, 0, Node(1000, {}), false, {}},
      {{.devices = 1}, 0, Node(1000, {1000, 600}), true, Node(1000, {600, 0})},
      {{.devices = 2}, 0, Node(1000, {1000, 1000, 300}), true, Node(1000, {300, 0, 0})},
      {{.devices = 2}, 0, Node(1000, {1000, 600}), false, {}},
      {{.devices = 1, .milli = 600}, 0, Node(1000, {1000, 700}), true, Node(1000, {700, 400})},
      {{.devices = 1, .milli = 600}, 1, Node(1000, {1000, 700}), true, Node(1000, {1000, 100})},
      {{.devices = 1, .milli = 701}, 0, Node(1000, {700}), false, {}},
      {{.devices = 1, .kinds = 1}, 0, Node(1000, {1000}), false, {}},
      {{.devices = 1, .kinds = 2}, 0, Node(1000, {1000}), true, Node(1000, {0})},
      {{.devices = 1}, 0, Node(1000, {}), false, {}},
      {{.devices = kDevicesMax + 1}, 0, Node(1000, {1000}), false, {}},
  };
  for (const Case& test : cases) {
    EXPECT_EQ(Fits(test.need, test.from), test.fits);
    if (test.fits) EXPECT_EQ(Without(test.from, test.need, test.device), test.left);
  }
}

}  // namespace
}  // namespace kiln::scheduler
