#include "scheduler/placement/policy.h"

namespace kiln::scheduler {

const std::vector<const Policy*>& Policies() {
  static const auto* const policies = new std::vector<const Policy*>{
      &kFill,
      &kFgd,
      &kPack,
      &kSpread,
  };
  return *policies;
}

Result<const Policy*> FindPolicy(const std::string& name) {
  std::string known;
  for (const Policy* policy : Policies()) {
    if (name == policy->name) return policy;
    known += (known.empty() ? "" : ", ") + std::string(policy->name);
  }
  return Fail(ErrorCode::kInvalidArgument, "placement policy is \"{}\", expected one of {}", name,
              known);
}

}  // namespace kiln::scheduler
