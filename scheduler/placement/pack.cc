#include "scheduler/placement/policy.h"

namespace kiln::scheduler {
namespace {

// Best fit: the less remains, the better; a device weighs as much as 16 cores.
class Pack : public Judge {
 public:
  double Value(const Shape& shape) const override {
    return -(16.0 * shape.FreeMilli() + static_cast<double>(shape.cpus_milli)) / 1000;
  }
  double Score(double /*before*/, double after) const override { return after; }
};

}  // namespace

const Policy kPack{
    "pack", [](const Workload&) -> std::unique_ptr<Judge> { return std::make_unique<Pack>(); },
    true};

}  // namespace kiln::scheduler
