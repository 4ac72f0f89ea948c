#include "local/cluster/resources.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

namespace kiln::local {

using mesos::v1::Resource;
using mesos::v1::Value;

namespace {

using Interval = std::pair<uint64_t, uint64_t>;  // both ends are in it

int64_t Thousandths(const Resource& resource) {
  double value = resource.scalar().value();
  // What llround gives on x86 for a number that does not fit: Mesos prints it.
  if (!std::isfinite(value) || std::abs(value) > 9.2e15) return INT64_MIN;
  return std::llround(value * 1000);
}

void SetThousandths(Resource* resource, int64_t value) {
  resource->mutable_scalar()->set_value(static_cast<double>(value) / 1000);
}

std::vector<Interval> Intervals(const Value::Ranges& ranges) {
  std::vector<Interval> all;
  for (const auto& range : ranges.range()) {
    if (range.begin() <= range.end()) all.emplace_back(range.begin(), range.end());
  }
  std::sort(all.begin(), all.end());
  std::vector<Interval> united;
  for (const Interval& next : all) {
    if (!united.empty() &&
        (united.back().second == UINT64_MAX || next.first <= united.back().second + 1)) {
      united.back().second = std::max(united.back().second, next.second);
    } else {
      united.push_back(next);
    }
  }
  return united;
}

std::vector<Interval> Intervals(const Resource& resource) { return Intervals(resource.ranges()); }

void SetIntervals(Value::Ranges* ranges, const std::vector<Interval>& intervals) {
  ranges->clear_range();
  for (const auto& [begin, end] : intervals) {
    auto* range = ranges->add_range();
    range->set_begin(begin);
    range->set_end(end);
  }
}

void SetIntervals(Resource* resource, const std::vector<Interval>& intervals) {
  SetIntervals(resource->mutable_ranges(), intervals);
}

std::vector<Interval> Without(const std::vector<Interval>& from,
                              const std::vector<Interval>& what) {
  std::vector<Interval> left = from;
  for (const auto& [begin, end] : what) {
    std::vector<Interval> next;
    for (const Interval& piece : left) {
      if (end < piece.first || begin > piece.second) {
        next.push_back(piece);
        continue;
      }
      if (piece.first < begin) next.emplace_back(piece.first, begin - 1);
      if (piece.second > end) next.emplace_back(end + 1, piece.second);
    }
    left = std::move(next);
  }
  return left;
}

std::set<std::string> Items(const Resource& resource) {
  return {resource.set().item().begin(), resource.set().item().end()};
}

void SetItems(Resource* resource, const std::set<std::string>& items) {
  resource->mutable_set()->clear_item();
  for (const std::string& item : items) resource->mutable_set()->add_item(item);
}

bool IsEmpty(const Resource& resource) {
  switch (resource.type()) {
    case Value::SCALAR:
      return Thousandths(resource) == 0;
    case Value::RANGES:
      return resource.ranges().range_size() == 0;
    case Value::SET:
      return resource.set().item_size() == 0;
    case Value::TEXT:
      return true;
  }
  return true;
}

void AddValue(Resource* to, const Resource& what) {
  switch (to->type()) {
    case Value::SCALAR:
      SetThousandths(to, Thousandths(*to) + Thousandths(what));
      break;
    case Value::RANGES:
      to->mutable_ranges()->MergeFrom(what.ranges());
      SetIntervals(to, Intervals(*to));
      break;
    case Value::SET: {
      std::set<std::string> items = Items(*to);
      items.merge(Items(what));
      SetItems(to, items);
      break;
    }
    case Value::TEXT:
      break;
  }
}

void SubtractValue(Resource* from, const Resource& what) {
  switch (from->type()) {
    case Value::SCALAR:
      SetThousandths(from, std::max<int64_t>(0, Thousandths(*from) - Thousandths(what)));
      break;
    case Value::RANGES:
      SetIntervals(from, Without(Intervals(*from), Intervals(what)));
      break;
    case Value::SET: {
      std::set<std::string> items = Items(*from);
      for (const std::string& item : what.set().item()) items.erase(item);
      SetItems(from, items);
      break;
    }
    case Value::TEXT:
      break;
  }
}

bool ValueContains(const Resource& whole, const Resource& part) {
  switch (whole.type()) {
    case Value::SCALAR:
      return Thousandths(whole) >= Thousandths(part);
    case Value::RANGES:
      return Without(Intervals(part), Intervals(whole)).empty();
    case Value::SET: {
      std::set<std::string> have = Items(whole);
      std::set<std::string> want = Items(part);
      return std::includes(have.begin(), have.end(), want.begin(), want.end());
    }
    case Value::TEXT:
      return false;
  }
  return false;
}

bool SameReservation(const Resource::ReservationInfo& a, const Resource::ReservationInfo& b) {
  return a.type() == b.type() && a.role() == b.role() && a.has_principal() == b.has_principal() &&
         a.principal() == b.principal() && a.has_labels() == b.has_labels() &&
         (!a.has_labels() ||
          a.labels().SerializePartialAsString() == b.labels().SerializePartialAsString());
}

bool IsBelow(const std::string& role, const std::string& above) {
  return role.size() > above.size() && role.compare(0, above.size(), above) == 0 &&
         role[above.size()] == '/';
}

}  // namespace

void UniteRanges(Value::Ranges* ranges) { SetIntervals(ranges, Intervals(*ranges)); }

bool SameKind(const Resource& a, const Resource& b) {
  if (a.name() != b.name() || a.type() != b.type()) return false;
  if (a.has_allocation_info() != b.has_allocation_info() ||
      a.allocation_info().role() != b.allocation_info().role()) {
    return false;
  }
  if (a.reservations_size() != b.reservations_size()) return false;
  for (int i = 0; i < a.reservations_size(); ++i) {
    if (!SameReservation(a.reservations(i), b.reservations(i))) return false;
  }
  if (a.has_revocable() != b.has_revocable() || a.has_shared() != b.has_shared()) return false;
  if (a.provider_id().value() != b.provider_id().value()) return false;
  if (a.has_disk() != b.has_disk()) return false;
  return !a.has_disk() ||
         a.disk().SerializePartialAsString() == b.disk().SerializePartialAsString();
}

bool IsReservedTo(const Resource& resource, const std::string& role) {
  return resource.reservations_size() > 0 &&
         resource.reservations(resource.reservations_size() - 1).role() == role;
}

bool IsAllocatableTo(const Resource& resource, const std::string& role) {
  if (resource.reservations_size() == 0) return true;
  const std::string& owner = resource.reservations(resource.reservations_size() - 1).role();
  return owner == role || IsBelow(role, owner);
}

Resources::Resources(const ResourceList& list) {
  for (const Resource& resource : list) *this += resource;
}

ResourceList Resources::List() const { return {items_.begin(), items_.end()}; }

bool Resources::Contains(const Resource& other) const {
  if (IsEmpty(other)) return true;
  for (const Resource& item : items_) {
    if (SameKind(item, other)) return ValueContains(item, other);
  }
  return false;
}

bool Resources::Contains(const Resources& other) const {
  return std::all_of(other.items_.begin(), other.items_.end(),
                     [&](const Resource& item) { return Contains(item); });
}

Resources& Resources::operator+=(const Resource& resource) {
  if (IsEmpty(resource)) return *this;
  for (Resource& item : items_) {
    if (!SameKind(item, resource)) continue;
    AddValue(&item, resource);
    return *this;
  }
  items_.push_back(resource);
  if (resource.type() == Value::RANGES) SetIntervals(&items_.back(), Intervals(resource));
  return *this;
}

Resources& Resources::operator+=(const Resources& other) {
  for (const Resource& item : other.items_) *this += item;
  return *this;
}

Resources& Resources::operator-=(const Resource& resource) {
  for (size_t i = 0; i < items_.size(); ++i) {
    if (!SameKind(items_[i], resource)) continue;
    SubtractValue(&items_[i], resource);
    if (IsEmpty(items_[i])) items_.erase(items_.begin() + static_cast<ptrdiff_t>(i));
    break;
  }
  return *this;
}

Resources& Resources::operator-=(const Resources& other) {
  for (const Resource& item : other.items_) *this -= item;
  return *this;
}

Resources Resources::Where(const std::function<bool(const Resource&)>& keep) const {
  Resources kept;
  for (const Resource& item : items_) {
    if (keep(item)) kept.items_.push_back(item);
  }
  return kept;
}

Resources Resources::AllocatedTo(const std::string& role) const {
  Resources all;
  for (Resource item : items_) {
    item.mutable_allocation_info()->set_role(role);
    all += item;
  }
  return all;
}

Resources Resources::Revocable() const {
  return Where([](const Resource& item) { return item.has_revocable(); });
}

Resources Resources::NonRevocable() const {
  return Where([](const Resource& item) { return !item.has_revocable(); });
}

Resources Resources::Unallocated() const {
  Resources all;
  for (Resource item : items_) {
    item.clear_allocation_info();
    all += item;
  }
  return all;
}

double Resources::Quantity(std::string_view name) const {
  double sum = 0;
  for (const Resource& item : items_) {
    if (item.name() != name) continue;
    if (item.type() == Value::SCALAR) sum += item.scalar().value();
    if (item.type() == Value::SET) sum += item.set().item_size();
    if (item.type() == Value::RANGES) {
      for (const auto& [begin, end] : Intervals(item)) sum += static_cast<double>(end - begin) + 1;
    }
  }
  return sum;
}

std::map<std::string, double> Resources::Scalars() const {
  std::map<std::string, int64_t> sums;
  for (const Resource& item : items_) {
    if (item.type() == Value::SCALAR) sums[item.name()] += Thousandths(item);
  }
  std::map<std::string, double> result;
  for (const auto& [name, sum] : sums) result[name] = static_cast<double>(sum) / 1000;
  return result;
}

void UpgradeResource(Resource* resource) {
  if (resource->reservations_size() == 0) {
    const bool dynamic = resource->has_reservation();
    if (resource->role() != "*") {
      Resource::ReservationInfo reservation;
      if (dynamic) reservation = resource->reservation();
      reservation.set_type(dynamic ? Resource::ReservationInfo::DYNAMIC
                                   : Resource::ReservationInfo::STATIC);
      reservation.set_role(resource->role());
      *resource->add_reservations() = reservation;
    }
  }
  resource->clear_role();
  resource->clear_reservation();
}

bool DowngradeResource(Resource* resource) {
  if (resource->reservations_size() > 1) return false;
  ToEndpointFormat(resource);
  resource->clear_reservations();
  return true;
}

void ToEndpointFormat(Resource* resource) {
  if (resource->reservations_size() == 0) resource->set_role("*");
  if (resource->reservations_size() != 1) return;
  const Resource::ReservationInfo source = resource->reservations(0);
  resource->set_role(source.role());
  if (source.type() != Resource::ReservationInfo::DYNAMIC) return;
  Resource::ReservationInfo* target = resource->mutable_reservation();
  if (source.has_principal()) target->set_principal(source.principal());
  if (source.has_labels()) *target->mutable_labels() = source.labels();
}

}  // namespace kiln::local
