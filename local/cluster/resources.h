// Sums of mesos.v1 resources, as a master and an agent count them.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "proto/mesos/v1/mesos.pb.h"

namespace kiln::local {

using ResourceList = google::protobuf::RepeatedPtrField<mesos::v1::Resource>;

// A value: resources of one kind (name, type, reservations, allocation role, disk, provider,
// revocable, shared) are one item. Items are in the reservations format (no `role`). Scalars count
// in thousandths, ranges and sets are united, nothing empty is kept.
class Resources {
 public:
  Resources() = default;
  explicit Resources(const ResourceList& list);

  const std::vector<mesos::v1::Resource>& items() const { return items_; }
  bool empty() const { return items_.empty(); }
  ResourceList List() const;

  // The same kind, and at least as much of it, for every item of the other.
  bool Contains(const Resources& other) const;
  bool Contains(const mesos::v1::Resource& other) const;

  Resources& operator+=(const mesos::v1::Resource& resource);
  Resources& operator+=(const Resources& other);
  // What is not there is not taken.
  Resources& operator-=(const mesos::v1::Resource& resource);
  Resources& operator-=(const Resources& other);
  friend Resources operator+(Resources a, const Resources& b) { return std::move(a += b); }
  friend Resources operator-(Resources a, const Resources& b) { return std::move(a -= b); }
  bool operator==(const Resources& other) const { return Contains(other) && other.Contains(*this); }

  Resources Where(const std::function<bool(const mesos::v1::Resource&)>& keep) const;
  Resources AllocatedTo(const std::string& role) const;
  Resources Unallocated() const;
  Resources Revocable() const;
  Resources NonRevocable() const;

  // Of all kinds of this name: scalars in their unit, ranges and sets by their items.
  double Quantity(std::string_view name) const;
  // Every scalar name and its sum.
  std::map<std::string, double> Scalars() const;

 private:
  std::vector<mesos::v1::Resource> items_;
};

// Two resources that add up to one item.
bool SameKind(const mesos::v1::Resource& a, const mesos::v1::Resource& b);
bool IsReservedTo(const mesos::v1::Resource& resource, const std::string& role);
// Unreserved, or reserved to the role or to a role above it.
bool IsAllocatableTo(const mesos::v1::Resource& resource, const std::string& role);

// Sorted, without overlaps and neighbours.
void UniteRanges(mesos::v1::Value::Ranges* ranges);

// The role and reservation fields of old become `reservations`.
void UpgradeResource(mesos::v1::Resource* resource);
// And back; false where more than one reservation makes that impossible.
bool DowngradeResource(mesos::v1::Resource* resource);
// What operators are shown: `role` beside `reservations`.
void ToEndpointFormat(mesos::v1::Resource* resource);

// "cpus(allocated: research):4; ports(allocated: research):[31000-31009]"
std::string ToText(const mesos::v1::Resource& resource);
std::string ToText(const Resources& resources);
// Scalars as endpoints show them: those that are revocable have names of their own, such as
// "cpus_revocable".
std::map<std::string, double> ShownScalars(const Resources& resources);
// A number as Mesos prints a scalar: three decimals kept, no trailing zeros.
std::string ScalarText(double value);

// The agent flags --resources and --attributes: "cpus:4;mem(research):512;ports:[31000-31009,1-2]",
// "rack:r1;span:[1-5]". "cpus{REV}:2" is what an estimator of Mesos finds to lend, for which Mesos
// has no flag. kInvalidArgument names the wrong part.
Result<std::vector<mesos::v1::Resource>> ParseResources(std::string_view text);
Result<std::vector<mesos::v1::Attribute>> ParseAttributes(std::string_view text);

}  // namespace kiln::local
