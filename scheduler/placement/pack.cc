#include "scheduler/placement/policy.h"

namespace kiln::scheduler {
namespace {

// The less remains, the better; a core weighs as much as 4 GiB.
double Tightness(const Resources& free, const Resources& taken) {
  const auto gpus = static_cast<double>(free.gpu_ids.size() - taken.gpu_ids.size()) +
                    static_cast<double>(free.gpus - taken.gpus);
  const double cpus = static_cast<double>(free.cpus_milli - taken.cpus_milli) / 1000;
  const double mem = static_cast<double>((free.mem - taken.mem).count) / (4.0 * (1 << 30));
  return -(16 * gpus + cpus + mem);
}

}  // namespace

const Policy kPack{"pack", &Tightness, true};

}  // namespace kiln::scheduler
