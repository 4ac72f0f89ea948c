#include "scheduler/placement/policy.h"

namespace kiln::scheduler {
namespace {

class Spread : public Judge {
 public:
  double Value(const Shape& shape) const override { return -Tightness(shape); }
  double Score(double /*before*/, double after) const override { return after; }
};

}  // namespace

const Policy kSpread{
    "spread", [](const Workload&) -> std::unique_ptr<Judge> { return std::make_unique<Spread>(); },
    false};

}  // namespace kiln::scheduler
