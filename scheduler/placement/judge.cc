#include "scheduler/placement/judge.h"

namespace kiln::scheduler {

double Tightness(const Shape& shape) {
  constexpr double kCoresOfDevice = 64;
  constexpr double kCoresOfGiB = 1.0 / 64;
  return -(kCoresOfDevice * shape.FreeMilli() / kWhole +
           static_cast<double>(shape.cpus_milli) / 1000 +
           kCoresOfGiB * static_cast<double>(shape.mem.count) / (1 << 30));
}

}  // namespace kiln::scheduler
