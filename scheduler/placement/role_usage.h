// What roles use and have used, integrated in time.
#pragma once

#include <map>
#include <string>

#include "base/time.h"
#include "model/role.h"
#include "scheduler/placement/order.h"

namespace kiln::scheduler {

// The past of a role is the exponential mean of its use: use of an hour counts for half when it is
// a half-life old, and a role that has used the same for ever has a past equal to its use.
//
// Starts and ends may be told in any order of time. Threads: one at a time.
class RoleUsage {
 public:
  // Zero: the past does not count.
  explicit RoleUsage(Duration half_life) : half_life_(half_life) {}

  void Start(const std::string& role, const Amounts& amounts, Instant at);
  void End(const std::string& role, const Amounts& amounts, Instant at);
  std::map<std::string, RoleUse> At(Instant now) const;

 private:
  struct Entry {
    RoleUse use;
    Instant at;  // of `past`
  };
  // What the past keeps after this time.
  double Kept(Duration time) const;
  void Advance(Entry& entry, Instant now) const;
  void Change(const std::string& role, const Amounts& amounts, int64_t sign, Instant at);

  const Duration half_life_;
  std::map<std::string, Entry> entries_;
};

}  // namespace kiln::scheduler
