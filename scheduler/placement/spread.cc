#include "scheduler/placement/policy.h"

namespace kiln::scheduler {
namespace {

double Room(const Resources& free, const Resources& taken) { return -kPack.score(free, taken); }

}  // namespace

const Policy kSpread{"spread", &Room, false};

}  // namespace kiln::scheduler
